"""Assets from a web server, and what can go wrong on the way."""

import os
import socket
import stat

import pytest
from support.assets import PAYLOAD, asset, send

from holoflow.assets import AssetError, cached_path, fetch


def fails(wanted):
    with pytest.raises(AssetError) as caught:
        fetch(wanted, progress=False)
    return str(caught.value)


def left(cache):
    """Return what lies in the cache, which a failure must leave empty."""
    return sorted(path.name for path in cache.rglob("*"))


def test_a_file_is_fetched_once(server, cache):
    wanted = asset(server.serve("/model.onnx", send(PAYLOAD)))
    for _ in range(2):
        path = fetch(wanted, progress=False)
        assert path == cached_path(wanted)
        assert path.read_bytes() == PAYLOAD
    assert server.asked == ["/model.onnx"]
    assert left(cache) == sorted([wanted.sha256, "model.onnx"])


def test_a_file_has_the_rights_of_any_other(server, cache):
    umask = os.umask(0)
    os.umask(umask)
    path = fetch(asset(server.serve("/a", send(PAYLOAD))), progress=False)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask


def test_a_full_cache_needs_no_network_and_no_rights(server, cache, no_network, capfd):
    wanted = asset(server.serve("/a", send(PAYLOAD)))
    path = fetch(wanted, progress=False)
    capfd.readouterr()
    no_network()
    cache.chmod(0o555)
    try:
        assert fetch(wanted) == path
    finally:
        cache.chmod(0o755)
    assert capfd.readouterr() == ("", "")


def test_a_damaged_file_in_the_cache_is_fetched_again(server, cache):
    wanted = asset(server.serve("/a", send(PAYLOAD)))
    fetch(wanted, progress=False).write_bytes(PAYLOAD[:-1])
    assert fetch(wanted, progress=False).read_bytes() == PAYLOAD
    assert server.asked == ["/a", "/a"]


def test_a_damaged_file_in_the_cache_does_not_outlive_a_failed_fetch(server, cache, pauses):
    wanted = asset(server.serve("/a", send(PAYLOAD), send(b"", status=404)))
    fetch(wanted, progress=False).write_bytes(PAYLOAD[:-1])
    assert "404" in fails(wanted)
    assert not cached_path(wanted).exists()


def test_a_wrong_checksum_is_told_with_both(server, cache):
    message = fails(asset(server.serve("/a", send(b"other")), PAYLOAD))
    assert message.startswith("apps/x/app.yaml:7:3: asset 'model': ")
    assert asset("", b"other").sha256 in message
    assert asset("", PAYLOAD).sha256 in message
    assert "(5 bytes)" in message
    assert left(cache) == []


def test_a_transfer_that_breaks_off_is_tried_again(server, cache, pauses):
    broken = send(PAYLOAD[:5000], announced=len(PAYLOAD))
    url = server.serve("/a", broken, send(b"", status=503), send(PAYLOAD))
    assert fetch(asset(url), progress=False).read_bytes() == PAYLOAD
    assert server.asked == ["/a"] * 3
    assert pauses == [1.0, 4.0]


def test_a_transfer_that_always_breaks_off_leaves_nothing(server, cache, pauses):
    message = fails(asset(server.serve("/a", send(PAYLOAD[:5000], announced=len(PAYLOAD)))))
    assert "broke off" in message
    assert "holoflow assets fetch apps/x/app.yaml" in message
    assert len(server.asked) == 3
    assert left(cache) == []


def test_a_file_that_is_not_there_is_not_asked_for_again(server, cache, pauses):
    message = fails(asset(server.url("/none")))
    assert "404" in message
    assert server.asked == ["/none"]
    assert pauses == []
    assert left(cache) == []


def test_offline_the_message_says_what_to_run_where(server, cache, pauses):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/a"
        message = fails(asset(url))
    assert "not in the cache" in message
    assert "no connection" in message
    assert "`holoflow assets fetch apps/x/app.yaml`" in message
    assert "`holoflow assets path`" in message
    assert str(cache) in message
    assert left(cache) == []


def test_a_password_is_not_told(server, cache):
    message = fails(asset(server.url("/none").replace("://", "://me:secret@")))
    assert "secret" not in message
    assert "://…@127.0.0.1" in message


@pytest.mark.parametrize("place", ["a file where the cache belongs", "/proc/none"])
def test_a_cache_that_cannot_be_written_is_told(server, tmp_path, monkeypatch, place):
    path = tmp_path / place
    if not path.is_absolute() or "proc" not in place:
        path.write_text("")
    monkeypatch.setenv("HOLOFLOW_CACHE", str(path))
    message = fails(asset(server.serve("/a", send(PAYLOAD))))
    assert "cannot be stored" in message
    assert str(path) in message


def test_a_full_disk_is_told_and_leaves_nothing(server, cache, monkeypatch):
    def full(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("holoflow.assets.download.from_web", full)
    message = fails(asset(server.serve("/a", send(PAYLOAD))))
    assert "cannot be stored: No space left on device" in message
    assert str(cache) in message
    assert left(cache) == []


def test_in_a_pipe_a_fetch_is_one_plain_line(server, cache, capfd):
    url = server.serve("/a", send(PAYLOAD)).replace("://", "://me:secret@")
    fetch(asset(url, name="[bold]model"))
    out, err = capfd.readouterr()
    assert out == ""
    assert err == f"fetching [bold]model from {url.replace('me:secret', '…')}\n"
