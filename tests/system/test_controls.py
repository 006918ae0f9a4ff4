"""Parameters changed in the live page, of an operator in another process."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

pytestmark = pytest.mark.browser

HOLOFLOW = Path(sys.executable).with_name("holoflow")
OPERATOR = '''
from typing import Literal

import numpy as np

from holoflow import Duration, Image, Operator, param


class FillOp(Operator):
    """Gives every pixel the same value."""

    level: int = param(10, ge=0, le=255, doc="of every pixel", live=True)
    bright: bool = param(False, doc="255 instead", live=True)
    channel: Literal["all", "red"] = param("all", doc="which channels", live=True)
    note: Duration = param("10ms", gt=0, doc="not used", live=True)

    def process(self, image: Image) -> Image:
        data = np.zeros_like(image.data)
        data[..., slice(None) if self.channel == "all" else 0] = 255 if self.bright else self.level
        return image.with_data(data)
'''
APP = """
app: controlled
schema: 1
operators:
  scene: {type: capture.synthetic, with: {length: 1000000, rate: 50hz, width: 64, height: 48}}
  fill: {type: ./fill.py:FillOp, inputs: {image: scene.image}}
  screen: {type: visualize.web, inputs: {image: fill}}
fragments:
  work: {operators: [scene, fill]}
  view: {operators: [screen]}
"""
PIXEL = "[...element.picture.getContext('2d').getImageData(5, 5, 1, 1).data].slice(0, 3).join()"


@pytest.fixture
def controlled(tmp_path, monkeypatch):
    """Run the app; gives the address of its page, and ends it with its report."""
    (tmp_path / "run").mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    (tmp_path / "fill.py").write_text(OPERATOR)
    (tmp_path / "app.yaml").write_text(APP)

    @contextmanager
    def running(*options):
        command = [HOLOFLOW, "run", tmp_path, "--json", "--output", tmp_path / "out", *options]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                events = map(json.loads, process.stdout)
                yield next(e["text"] for e in events if e.get("kind") == "live page")
            finally:
                process.terminate()
                process.communicate()

    return running


def near(value: int) -> str:
    """Return the condition that every channel shows `value`, as JPEG keeps it."""
    return f"{PIXEL}.split(',').every((one) => Math.abs(one - {value}) < 4)"


def control(name: str, kind: str = "input:last-of-type") -> str:
    """Return the expression of the control of a parameter."""
    rows = "[...document.querySelectorAll('#controls .control')]"
    return f"{rows}.find((row) => row.firstChild.textContent === '{name}').querySelector('{kind}')"


def enter(page, name: str, value: str, kind: str = "input:last-of-type", key: str = "value"):
    page.run(
        f"{{ const c = {control(name, kind)}; c.{key} = {value}; "
        "c.dispatchEvent(new Event('change')); }"
    )


def test_a_parameter_changed_in_the_page_changes_the_next_pictures(controlled, browser, tmp_path):
    with controlled() as url:
        page = browser.page()
        page.open(url)
        page.wait(near(10))
        page.wait("!element.parameters.hidden")
        page.run("element.parameters.click()")
        page.wait(f"{control('level')}.value === '10'")
        assert page.run(f"{control('note')}.value") == "10ms"
        enter(page, "level", "200")
        page.wait(near(200))
        enter(page, "bright", "true", key="checked")
        page.wait(near(255))
        enter(page, "channel", "'\"red\"'", "select")
        page.wait(f"{PIXEL}.split(',')[2] < 30")
        enter(page, "note", "'10'")
        page.wait(
            "document.querySelector('#controls .wrong:not(:empty)')?.textContent.includes('unit')"
        )
        changed = [HOLOFLOW, "set", "controlled", "fill.level=77", "fill.bright=false"]
        subprocess.run(changed, check=True, capture_output=True)
        page.wait(f"{control('level')}.value === '77'")
        assert page.complaints == []
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    changes = report["snapshot"]["changes"]
    assert [(c["parameter"], c["before"], c["value"]) for c in changes] == [
        ("level", "10", "200"), ("bright", "false", "true"), ("channel", '"all"', '"red"'),
        ("level", "200", "77"), ("bright", "true", "false"),
    ]  # fmt: skip


def post(url: str, body: bytes, **headers: str) -> tuple[int, str]:
    """Return status and text of the answer to a change."""
    where = urlsplit(url)
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    with closing(HTTPConnection(where.hostname, where.port)) as line:
        line.request("POST", "/parameters", body, {"Content-Type": "application/json", **given})
        answer = line.getresponse()
        return answer.status, answer.read().decode()


CHANGE = b'{"operator": "fill", "parameter": "level", "value": 99}'


def test_strangers_and_nonsense_change_nothing(controlled, tmp_path):
    with controlled() as url:
        assert post(url, CHANGE, Origin="http://evil.example")[0] == 403
        assert post(url, CHANGE, Host="evil.example")[0] == 403
        assert post(url, CHANGE, Content_Type="text/plain")[0] == 422
        for body in (b"", b"[]", b"\xff", b"[" * 9000, b'{"operator": 1}', b"a" * 100_000):
            assert post(url, body)[0] == 422
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["snapshot"]["changes"] == []


def test_read_only_says_so_and_changes_nothing(controlled, tmp_path):
    with controlled("--read-only") as url:
        assert post(url, CHANGE) == (422, '{"wrong":"the app runs with --read-only"}')
        command = [HOLOFLOW, "set", "controlled", "fill.level=77"]
        refused = subprocess.run(command, capture_output=True, text=True)
        assert refused.returncode == 2
        assert "start it without --read-only" in refused.stderr
