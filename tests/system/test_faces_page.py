"""A running app's live page, as somebody at a browser sees it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from holoflow.app import load
from holoflow.app.assets import fetch_all
from holoflow.cli.apps import find

HOLOFLOW = Path(sys.executable).with_name("holoflow")


def test_faces_shows_moving_frames_with_boxes(browser, tmp_path: Path) -> None:
    fetch_all(load(find("faces")))
    page = browser.page()
    command = [HOLOFLOW, "run", "faces", "--json", "--output", str(tmp_path / "out")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        events = map(json.loads, process.stdout)
        url = next(
            e["text"]
            for e in events
            if (e["event"], e.get("kind")) == ("announcement", "live page")
        )

        page.open(url)
        page.wait("element.state.textContent === 'live' && page.shown && page.shown.frame > 0")
        first = page.run("page.shown.frame")
        box = page.wait("page.shown.boxes && page.shown.boxes[0]")
        page.wait(f"page.shown.frame > {first} + 10")
        assert page.run("element.picture.width") > 0
        drawn = page.run(
            "(() => { const { width, height } = element.overlay;"
            "const data = element.overlay.getContext('2d').getImageData(0, 0, width, height).data;"
            "let n = 0; for (let i = 3; i < data.length; i += 4) n += data[i] > 0; return n; })()"
        )
        assert drawn > 100, "the box is drawn"
        page.screenshot(tmp_path / "page.png")

        summary = [e for e in events if e["event"] == "summary"][-1]
    assert process.returncode == 0
    assert summary["outcome"] == "done"
    assert (tmp_path / "out" / "faces.mp4").stat().st_size > 10_000
    page.wait("element.state.textContent !== 'live'")
    assert box
    assert page.complaints == []
