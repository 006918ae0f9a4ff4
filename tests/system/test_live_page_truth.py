"""What the live page says of a real app that hangs, stops, fails, ends, or is not reached."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.relay import Relay

pytestmark = pytest.mark.browser

HOLOFLOW = Path(sys.executable).with_name("holoflow")
OPERATOR = '''
import time
from holoflow import Image, Operator, param

class ThingsOp(Operator):
    """Passes pictures on, up to one of them."""
    hangs: int = param(-1, doc="frame at which it hangs")
    fails: int = param(-1, doc="frame at which it fails")

    def __init__(self, **parameters):
        super().__init__(**parameters)
        self.count = 0

    def process(self, image: Image) -> Image:
        if self.count == self.hangs:
            time.sleep(3600)
        if self.count == self.fails:
            raise ValueError("no such thing")
        self.count += 1
        return image
'''
APP = """
app: things
schema: 1
description: pictures pass through an operator that need not let them through
vars: {hangs: "-1", fails: "-1", length: "100000"}
operators:
  scene: {type: capture.synthetic, with: {length: "${length}", size: 44}}
  things:
    type: ./things.py:ThingsOp
    inputs: {image: scene.image}
    with: {hangs: "${hangs}", fails: "${fails}"}
  screen: {type: visualize.web, inputs: {image: things}, with: {port: 0}}
"""
APART = """
fragments:
  source: {operators: [scene]}
  work: {operators: [things]}
  view: {operators: [screen]}
"""
NONE = "\N{EN DASH}"


@pytest.fixture
def things(tmp_path):
    """Run the app; yields the process, and the address of its page."""

    @contextmanager
    def running(*settings, more="", options=(), environment=None):
        (tmp_path / "things.py").write_text(OPERATOR)
        (tmp_path / "app.yaml").write_text(APP + more)
        command = [HOLOFLOW, "run", tmp_path, "--json", "--output", tmp_path / "out"]
        command += [*(f"--set={setting}" for setting in settings), *options]
        inner = os.environ | (environment or {})
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=inner) as process:
            try:
                events = map(json.loads, process.stdout)
                url = next(e["text"] for e in events if e.get("kind") == "live page")
                yield process, url, events
            finally:
                process.send_signal(signal.SIGCONT)
                process.kill()

    return running


@pytest.fixture
def page(browser):
    page = browser.page()
    yield page
    assert not page.complaints
    page.open("about:blank")


def numbers(page):
    return page.run("[element.rate.textContent, element.latency.textContent]")


def shows(page, url):
    page.open(f"{url}#flow")
    page.wait("element.state.textContent === 'live' && page.rhythm.shown.length > 3")


@pytest.mark.parametrize("more", ["", APART], ids=["one process", "three"])
def test_an_operator_that_hangs_is_named_and_the_picture_is_one_of_the_past(page, things, more):
    with things("hangs=150", more=more) as (_, url, _):
        shows(page, url)
        page.wait("/^no picture for [0-9]+ s$/.test(element.state.textContent)")
        assert page.run("element.stage.classList.contains('past')")
        assert numbers(page) == [NONE, NONE]
        said = "things has been at work on frame 150 of scene for "
        page.wait(f"element.why.textContent.startsWith('{said}')")
        page.wait("element.cause.textContent === 'stall: things'")
        page.wait(f"element.evidence.textContent.startsWith('{said}')")
        told = subprocess.run([HOLOFLOW, "health", "things"], stdout=subprocess.PIPE, text=True)
        assert said in told.stdout
        top = [HOLOFLOW, "top", "things", "--once", "--json"]
        found = json.loads(subprocess.run(top, stdout=subprocess.PIPE, check=True).stdout)
        assert found["bottleneck"]["cause"] == "stall"
        assert found["bottleneck"]["evidence"].startswith(said)


def test_a_process_that_is_stopped_does_not_answer_until_it_goes_on(page, things):
    with things() as (process, url, _):
        shows(page, url)
        process.send_signal(signal.SIGSTOP)
        page.wait("/^no answer for [0-9]+ s, trying again$/.test(element.state.textContent)")
        assert page.run("element.stage.classList.contains('past')")
        assert numbers(page) == [NONE, NONE]
        page.wait("element.board.classList.contains('stale')")  # it has a line of its own
        process.send_signal(signal.SIGCONT)
        page.wait("element.state.textContent === 'live'")


def test_a_fragment_that_is_stopped_is_named(page, things):
    with things(more=APART) as (_, url, _):
        shows(page, url)
        top = [HOLOFLOW, "top", "things", "--once", "--json"]
        found = json.loads(subprocess.run(top, stdout=subprocess.PIPE, check=True).stdout)
        pid = found["fragments"]["work"]["pid"]
        os.kill(pid, signal.SIGSTOP)
        page.wait("/^no picture for [0-9]+ s$/.test(element.state.textContent)")
        said = f"work (process {pid} on "
        page.wait(f"element.why.textContent.startsWith('{said}')")
        page.wait("element.cause.textContent === 'stall: work'")
        os.kill(pid, signal.SIGCONT)
        page.wait("element.state.textContent === 'live'")


def test_a_cable_that_is_cut_is_noticed(page, things):
    with things() as (_, url, _), Relay(int(url.rstrip("/").rpartition(":")[2])) as relay:
        shows(page, f"http://127.0.0.1:{relay.port}/")
        relay.freeze()
        page.wait("/^no answer for [0-9]+ s, trying again$/.test(element.state.textContent)")
        assert numbers(page) == [NONE, NONE]
        relay.thaw()
        page.wait("element.state.textContent === 'live'")


@pytest.mark.parametrize("more", ["", APART], ids=["one process", "three"])
def test_a_run_that_fails_says_which_operator_at_which_frame_and_why(page, things, tmp_path, more):
    with things("fails=150", more=more) as (_, url, events):
        shows(page, url)
        page.wait("!element.end.hidden")
        assert page.run("element.outcome.textContent") == "failed"
        failure = page.run("element.failure.textContent")
        assert "operator 'things'" in failure
        assert "failed on frame 150 of scene: ValueError: no such thing" in failure
        assert str(tmp_path / "out") in page.run("element.output.textContent")
        assert page.run("element.state.dataset.state") == "failed"
        assert page.run("element.stage.classList.contains('past')")
        assert numbers(page) == [NONE, NONE]
        assert [e["outcome"] for e in events if e["event"] == "end"] == ["failed"]


@pytest.mark.parametrize("more", ["", APART], ids=["one process", "three"])
def test_a_run_that_ends_and_one_that_is_ended_say_so(page, things, more):
    for ended in ("done", "interrupted"):
        with things("length=150" if ended == "done" else "length=100000", more=more) as run:
            process, url, _ = run
            shows(page, url)
            if ended == "interrupted":
                process.send_signal(signal.SIGINT)
            page.wait("!element.end.hidden")
            assert page.run("element.outcome.textContent") == ended
            assert page.run("element.failure.hidden")
            page.open("about:blank")


def test_the_page_opens_stays_after_the_end_and_comes_back_with_view(page, things, tmp_path):
    opened = tmp_path / "opened"
    browser = tmp_path / "browser"
    browser.write_text(f"#!/bin/sh\necho $1 > {opened}\n")
    browser.chmod(0o755)
    environment = {"BROWSER": f"{browser} %s"}
    more = ("--stay", "--open")
    with things("length=150", options=more, environment=environment) as (process, url, events):
        shows(page, url)
        assert opened.read_text().strip() == url
        assert next(e for e in events if e["event"] == "end")["outcome"] == "done"
        page.wait(
            "[...element.files.children].some((e) => e.textContent.startsWith('report.html '))"
        )
        assert page.run("element.outcome.textContent") == "done"
        process.send_signal(signal.SIGINT)
        assert process.wait() == 0
    page.open("about:blank")  # the address may be the same
    command = [HOLOFLOW, "view", tmp_path / "out"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        url = process.stdout.readline().split()[1].rstrip(";")
        page.open(f"{url}#flow")
        page.wait("element.outcome.textContent === 'done' && element.cause.textContent")
        assert page.run("element.near.textContent") == "over the whole run"
        assert page.run("element.note.hidden")
        process.send_signal(signal.SIGINT)
        assert process.wait() == 0


def test_words_are_those_of_every_other_place(page, things):
    from holoflow.core import text

    values = [0.0, 1e-9, 4.2e-6, 0.00123456, 0.0312, 0.9996, 1.25, 12.44, 59.9, 59.96, 75, 7500]
    with things() as (_, url, _):
        page.open(url)
        assert page.run(f"{values}.map((value) => time(value))") == [*map(text.duration, values)]
        shares = [0.0, 0.0004, 0.0126, 0.5, 0.936, 1.0]
        assert page.run(f"{shares}.map(percent)") == [*map(text.percent, shares)]
        sizes = [0, 12, 999, 1000, 1_234_567, 3_000_000_000]
        assert page.run(f"{sizes}.map(bytes)") == [*map(text.size, sizes)]
        assert page.run("[time(null), percent(null), bytes(null), count(null)]") == [NONE] * 4


def test_three_fragments_are_one_page_with_the_numbers_of_json(page, things):
    show_wide = {"width": 1500, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    page.call("Emulation.setDeviceMetricsOverride", **show_wide)
    with things("hangs=150", more=APART) as (_, url, events):
        shows(page, url)
        page.wait("element.cause.textContent === 'stall: things'")
        names = "[...document.querySelectorAll('.operator .name')].map((e) => e.textContent)"
        assert page.run(names) == ["scene", "things", "screen"]
        hosts = page.run("[...element.machines.children].map((e) => e.textContent.split(' ')[0])")
        assert hosts == ["source", "work", "view"]
        counts = (
            "[...document.querySelectorAll('g.operator')].map((e) => { e.dispatchEvent("
            "new Event('focus')); return element.details.querySelectorAll('dd')[1].textContent; })"
        )
        shown = [int(text.partition(",")[0]) for text in page.run(counts)]
        assert shown[1:] == [150, 150]
        snapshots = itertools.islice((e for e in events if e["event"] == "snapshot"), 1000)
        told = ([stats["frames"] for stats in event["operators"]] for event in snapshots)
        assert shown in told
