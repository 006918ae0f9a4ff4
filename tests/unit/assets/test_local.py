"""Assets from files, several processes at once, and which assets an app uses."""

import contextlib
import os
import subprocess
import sys
import threading
from dataclasses import replace

import pytest
from support.assets import PAYLOAD, asset, send

from holoflow.app import load
from holoflow.app.assets import fetch_all
from holoflow.assets import AssetError, cached_path, fetch
from holoflow.assets.fetching import locked

FETCH = """
import sys
from holoflow.assets.source import Asset
from holoflow.assets import fetch, source
source.WEB_SCHEMES = ("http:",)
print(fetch(Asset("model", *sys.argv[1:]), progress=False).stat().st_size)
"""


def test_a_file_beside_the_app_is_copied(tmp_path, cache):
    (tmp_path / "clip one.bin").write_bytes(PAYLOAD)
    wanted = asset("file:clip%20one.bin")
    wanted = replace(wanted, location=replace(wanted.location, file=str(tmp_path / "app.yaml")))
    path = fetch(wanted, progress=False)
    assert path.read_bytes() == PAYLOAD
    assert path.is_relative_to(cache)


def test_a_file_that_is_not_there_or_is_none(tmp_path, cache):
    for path, words in ((tmp_path / "none", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(AssetError, match=words):
            fetch(asset(path.as_uri()), progress=False)
    assert list(cache.rglob("*")) == []


def test_two_processes_at_once_fetch_it_once(server, cache):
    asked, go = threading.Event(), threading.Event()

    def slow(request):
        asked.set()
        go.wait(300)
        send(PAYLOAD)(request)

    wanted = asset(server.serve("/a", slow))
    command = [sys.executable, "-c", FETCH, wanted.url, wanted.sha256]
    first = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert asked.wait(300)
    # The first one holds the lock until its answer comes: the second one has to wait.
    second = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    go.set()
    assert [int(process.communicate(timeout=300)[0]) for process in (first, second)] == [
        len(PAYLOAD), len(PAYLOAD),
    ]  # fmt: skip
    assert server.asked == ["/a"]
    assert sorted(p.name for p in cache.rglob("*")) == sorted([wanted.sha256, "a"])


def test_a_process_that_is_killed_midway_does_not_hold_up_the_next(server, cache):
    asked, go = threading.Event(), threading.Event()

    def stuck(request):
        request.send_response(200)
        request.send_header("Content-Length", str(len(PAYLOAD)))
        request.end_headers()
        request.wfile.write(PAYLOAD[:1000])
        request.wfile.flush()
        asked.set()
        go.wait(300)

    wanted = asset(server.serve("/a", stuck, send(PAYLOAD)))
    killed = subprocess.Popen([sys.executable, "-c", FETCH, wanted.url, wanted.sha256])
    assert asked.wait(300)
    killed.kill()
    killed.wait()
    go.set()
    assert not cached_path(wanted).exists()
    assert fetch(wanted, progress=False).read_bytes() == PAYLOAD
    assert sorted(p.name for p in cache.rglob("*")) == sorted([wanted.sha256, "a"])


def test_a_lock_lets_one_in_at_a_time(tmp_path):
    inside = threading.Lock()
    begun = threading.Barrier(8)
    rounds = []

    def enter():
        begun.wait()
        for _ in range(20):
            with locked(tmp_path / "lock"):
                assert inside.acquire(blocking=False)
                rounds.append(1)
                inside.release()

    threads = [threading.Thread(target=enter) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(rounds) == 160
    assert list(tmp_path.iterdir()) == []


APP = """
app: x
vars: {{clip: "asset:used"}}
assets:
  used: {{from: "file:used.bin", sha256: "{sha}"}}
  other: {{from: "file:none.bin", sha256: "{sha}"}}
operators:
  array:
    type: capture.array
    with: {{path: "${{clip}}", rate: 1hz}}
  lines:
    type: io.json_lines
    inputs: {{value: array}}
"""


def test_only_the_assets_that_operators_use_are_fetched(tmp_path, cache):
    (tmp_path / "used.bin").write_bytes(PAYLOAD)
    file = tmp_path / "app.yaml"
    file.write_text(APP.format(sha=asset("").sha256))
    app = load(file)
    assert fetch_all(app, progress=False) == {"used": cached_path(app.assets["used"])}
    with pytest.raises(AssetError, match=r"none\.bin"):
        fetch_all(app, unused=True, progress=False)


def test_on_a_terminal_a_fetch_shows_a_bar(server, cache):
    wanted = asset(server.serve("/a", send(PAYLOAD)))
    controller, terminal = os.openpty()
    command = [sys.executable, "-c", FETCH.replace(", progress=False", "")]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    process = subprocess.Popen(
        [*command, wanted.url, wanted.sha256],
        stdout=subprocess.DEVNULL, stderr=terminal, env=environment,
    )  # fmt: skip
    os.close(terminal)
    shown = b""
    with contextlib.suppress(OSError):  # the terminal is gone once the process has ended
        while part := os.read(controller, 1 << 16):
            shown += part
    os.close(controller)
    assert process.wait() == 0
    text = shown.decode()
    assert "model" in text
    assert "━" in text
    assert "102.4/102.4 kB" in text


@pytest.mark.parametrize(("url", "words"), [
    ("file:/dev/zero", "not a regular file"), ("file:{}/pipe", "not a regular file"),
    ("file:model%00.onnx", "null byte"),
])  # fmt: skip
def test_what_never_ends_or_is_no_path_is_refused(tmp_path, cache, url, words):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(AssetError, match=words):
        fetch(asset(url.format(tmp_path)))
