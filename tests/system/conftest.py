"""What system tests have: a real browser, driven by the DevTools protocol, and several hosts."""

from __future__ import annotations

import base64
import itertools
import json
import shutil
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from support.containers import Podman, podman, why_not
from support.hosts import hosts as started
from websockets.sync.client import ClientConnection, connect

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--window-size=1280,860", "--remote-debugging-port=0", "about:blank",
)  # fmt: skip
PATIENCE = 300.0
LIVE_PAGE = (
    "Promise.all(['page', 'elements', 'words', 'state'].map((name) => import(`./${name}.js`)))"
    ".then((modules) => { Object.assign(window, ...modules); })"
)
"""Makes what the modules of a live page export known to the scripts of tests."""


class Page:
    """A tab of the browser."""

    def __init__(self, line: ClientConnection, session: str) -> None:
        self._line = line
        self._session = session
        self.complaints: list[str] = []
        """What scripts threw, and what the content security policy forbade."""
        self.call("Page.enable")
        self.call("Runtime.enable")
        self.call("Log.enable")

    def call(self, method: str, **params: Any) -> Any:
        return call(self._line, method, params, self._session, self.complaints)

    def open(self, url: str) -> None:
        """Go to `url` and wait until all of it is there."""
        self.run("window.left = true")
        self.call("Page.navigate", url=url)
        # The page that is left is complete, too, and may still be there when the call returns. A
        # promise would go with it, so none is waited for.
        deadline = time.monotonic() + PATIENCE
        while not self.run("!window.left && document.readyState === 'complete'"):
            assert time.monotonic() < deadline, f"{url} is never complete"
            time.sleep(0.01)
        if self.run("!!document.querySelector('script[src=\"page.js\"]')"):
            self.run(LIVE_PAGE)

    def run(self, script: str) -> Any:
        """Return the value of the JavaScript expression `script`; waits for a promise."""
        result = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def wait(self, condition: str) -> Any:
        """Wait until the expression `condition` is true in the page; returns its value."""
        value = self.run(
            "new Promise((done) => { const look = () => { const value = (" + condition + ");"
            f"if (value || performance.now() > start + {PATIENCE * 500}) done(value);"
            "else setTimeout(look, 20); }; const start = performance.now(); look(); })"
        )
        assert value, f"the page never came to: {condition}"
        return value

    def screenshot(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))


class Browser:
    def __init__(self, line: ClientConnection) -> None:
        self._line = line

    def page(self) -> Page:
        target = call(self._line, "Target.createTarget", {"url": "about:blank"})["targetId"]
        params = {"targetId": target, "flatten": True}
        return Page(self._line, call(self._line, "Target.attachToTarget", params)["sessionId"])


_numbers = itertools.count(1)


def call(
    line: ClientConnection,
    method: str,
    params: dict[str, Any],
    session: str | None = None,
    complaints: list[str] | None = None,
) -> Any:
    """Call a method of the DevTools protocol and return its result."""
    number = next(_numbers)
    request = {"id": number, "method": method, "params": params}
    line.send(json.dumps(request | ({"sessionId": session} if session else {})))
    while True:
        message = json.loads(line.recv(PATIENCE))
        if message.get("id") == number:
            assert "error" not in message, message["error"]
            return message["result"]
        if complaints is not None and message.get("sessionId") == session:
            if message.get("method") == "Runtime.exceptionThrown":
                complaints.append(str(message["params"]["exceptionDetails"]))
            elif message.get("method") == "Log.entryAdded":
                entry = message["params"]["entry"]
                if entry["level"] == "error" and entry["source"] != "network":
                    complaints.append(entry["text"])


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    program = shutil.which("chromium")
    assert program, "these tests need a browser: apt-get install chromium"
    home = tmp_path_factory.mktemp("chromium")
    with (home / "log").open("w") as log:
        process = subprocess.Popen(
            [program, *FLAGS, f"--user-data-dir={home}"], stdout=log, stderr=log
        )
    try:
        place = home / "DevToolsActivePort"
        deadline = time.monotonic() + PATIENCE
        while not (place.exists() and len(lines := place.read_text().split()) == 2):
            assert process.poll() is None, (home / "log").read_text()
            assert time.monotonic() < deadline, "chromium does not start"
            time.sleep(0.05)
        port, path = lines
        # A browser that has nothing to show may sleep through pings.
        with connect(f"ws://127.0.0.1:{port}{path}", max_size=None, ping_interval=None) as line:
            yield Browser(line)
            call(line, "Browser.close", {})
    finally:
        process.terminate()
        process.wait(PATIENCE)


@pytest.fixture
def hosts(tmp_path):
    """A function that starts hosts of the names given to it; see `support.hosts`."""
    with ExitStack() as stack:
        yield lambda *names: stack.enter_context(started(tmp_path, *names))


@pytest.fixture(scope="session")
def containers(tmp_path_factory):
    """Podman with a base image, and nothing else in it."""
    assert not (lacks := why_not()), lacks
    # Not below the tests' own folder: paths of sockets in it would be too long.
    with podman(tmp_path_factory.mktemp("podman") / "p") as made:
        made.make_base()
        yield made


@pytest.fixture(scope="session")
def hello_image(containers: Podman) -> str:
    """The app hello as an image."""
    return containers.package("hello")


@pytest.fixture(scope="session")
def faces_image(containers: Podman) -> str:
    """The app faces with its three fragments as an image."""
    return containers.package("faces/apart", "faces")
