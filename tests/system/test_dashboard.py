"""The dashboard beside the video, in a real browser."""

from __future__ import annotations

import itertools
import time
from dataclasses import replace

import numpy as np
import pytest

from holoflow import Header, Image
from holoflow.operators.visualize.web import WebOp
from holoflow.stats.snapshot import Step
from tests.support.snapshots import faces, flow, history, operator, path

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror=document.title='broken'>"


class Live:
    """A live page over a run that the test makes up."""

    def __init__(self, snapshot, port=0):
        self.op = WebOp(port=port, title="Made up")
        context = self.op.context
        context.announce = lambda _kind, url: setattr(self, "url", url)
        context.snapshot = lambda: self.snapshot
        context.history = lambda: history(self.snapshot) if self.snapshot else ()
        self.snapshot = snapshot
        self.op.start()
        self.port = int(self.url.rstrip("/").rpartition(":")[2])
        image = Image(np.full((90, 160, 3), 90, np.uint8))
        self.op.process(Header(0, time.time_ns(), "camera"), image)


@pytest.fixture
def live():
    made = []

    def start(snapshot, port=0):
        made.append(Live(snapshot, port))
        return made[-1]

    yield start
    for one in made:
        one.op.stop()


@pytest.fixture
def page(browser):
    page = browser.page()
    yield page
    assert not page.complaints
    page.open("about:blank")  # else it would find the page of the next test


def show(page, width=1500, height=900):
    page.call(
        "Emulation.setDeviceMetricsOverride",
        width=width, height=height, deviceScaleFactor=1, mobile=False,
    )  # fmt: skip


def texts(page, selector):
    return page.run(f"[...document.querySelectorAll('{selector}')].map((e) => e.textContent)")


def opened(page, url):
    page.open(url)
    page.wait("document.querySelectorAll('.operator').length")


def longer(snapshot, number=1, frames=10):
    """Return `snapshot` half a second later, with so many more frames at one operator."""
    stats = snapshot.operators[number]
    more = replace(stats, frames=stats.frames + frames)
    operators = (*snapshot.operators[:number], more, *snapshot.operators[number + 1 :])
    return replace(snapshot, seconds=snapshot.seconds + 0.5, operators=operators)


def test_a_wide_window_shows_operators_flows_and_the_bottleneck_beside_the_video(page, live):
    show(page)
    opened(page, live(faces()).url)
    assert texts(page, ".operator .name") == ["camera", "detect", "overlay", "screen"]
    assert texts(page, ".label")[1].startswith("0/4 ")
    assert texts(page, ".label .drops") == ["", " \N{MINUS SIGN}10", "", ""]
    assert page.run("document.querySelectorAll('.stage').length") == 1
    assert "detect" in page.run("element.cause.textContent")
    assert "31 ms" in page.run("element.evidence.textContent")
    assert texts(page, ".operator .busy")[1] == "93%"
    assert page.run("document.querySelectorAll('.operator.hot').length") == 1
    assert page.run(
        "element.stage.getBoundingClientRect().right <= element.flow.getBoundingClientRect().left"
    )
    assert page.run("element.flow.scrollWidth <= element.flow.clientWidth")


def test_numbers_change_in_place(page, live):
    show(page)
    run = live(faces())
    opened(page, run.url)
    page.run("window.first = document.querySelectorAll('.operator')[1]; 0")
    run.snapshot = longer(run.snapshot)
    page.wait("document.querySelectorAll('.operator .rate')[1].textContent === '20 /s'")
    assert page.run("document.querySelectorAll('.operator')[1] === first")


def test_the_worst_path_is_marked_and_says_that_it_misses_its_budget(page, live):
    show(page)
    run = live(faces())
    opened(page, run.url)
    assert texts(page, ".mark") == ["over budget", ""]
    worst = "[...document.querySelectorAll('.operator.worst.over .name')].map((e) => e.textContent)"
    assert page.run(worst) == ["camera", "detect", "overlay", "screen"]
    assert "limit 50 ms" in texts(page, "#budgets li")[0]
    budget = replace(run.snapshot.budgets[0], now={"p99": 0.01})
    run.snapshot = replace(longer(run.snapshot), budgets=(budget,))
    page.wait("!document.querySelector('.over')")


def test_a_path_can_be_chosen(page, live):
    show(page)
    opened(page, live(faces()).url)
    page.run("document.querySelectorAll('.path')[1].click()")
    assert page.run("element.heatPath.textContent") == "camera → overlay → screen"
    assert texts(page, ".operator.chosen .name") == ["camera", "overlay", "screen"]


def test_the_heat_map_and_the_drops_are_drawn(page, live):
    show(page)
    opened(page, live(faces()).url)
    for name in ("heat", "drops"):
        page.wait(
            f"(() => {{ const {{ width, height }} = element.{name}; if (!width) return false;"
            f"const {{ data }} = element.{name}.getContext('2d').getImageData(60, 0, width - 60,"
            "height); let n = 0; for (let i = 3; i < data.length; i += 4) n += data[i] > 0;"
            "return n > 500; })()"
        )
    assert texts(page, "#causes li") == ["10 no room in the queue"]


def test_details_are_told_of_what_is_pointed_at_or_focused(page, live):
    show(page)
    opened(page, live(faces()).url)
    assert page.run("element.details.hidden")
    page.run("document.querySelectorAll('.operator')[1].focus()")
    details = page.run("element.details.textContent")
    assert "inference.onnx" in details
    assert "behind earlier frames60 ms a frame" in details
    page.run("document.querySelectorAll('.operator')[1].blur()")
    assert page.run("element.details.hidden")
    page.run("document.querySelectorAll('g.flow')[1].dispatchEvent(new Event('pointerenter'))")
    details = page.run("element.details.textContent")
    assert "when full: drop oldest" in details
    assert "delivered290" in details


def test_a_name_is_text_whatever_it_holds(page, live):
    show(page)
    hostile = replace(
        faces(),
        app=HOSTILE,
        operators=(operator(HOSTILE, 0.01, type=HOSTILE), operator("screen", 0.01)),
        flows=(flow(f"{HOSTILE}.out", "screen.image", dropped={HOSTILE: 3}),),
        paths=(path(Step("work", HOSTILE, ""), Step("work", "screen", "image", 0.01, 0.01)),),
    )
    opened(page, live(hostile).url)
    page.run("document.querySelectorAll('.operator')[0].focus()")
    assert texts(page, ".path") == [f"{HOSTILE} → screen"]
    assert HOSTILE in page.run("element.details.textContent")
    assert texts(page, "#causes li") == [f"3 {HOSTILE}"]
    assert page.run("document.querySelectorAll('#flow img').length") == 0
    assert page.run("document.title") == "Made up"


def test_it_survives_the_restart_of_the_app_and_shows_its_new_graph(page, live):
    show(page)
    first = live(faces())
    opened(page, first.url)
    first.op.stop()
    page.wait("element.board.classList.contains('stale')")
    assert texts(page, ".operator .name")[0] == "camera"
    changed = replace(
        faces(5.0), run="another", paths=(), flows=(flow("lidar.out", "screen.points"),),
        operators=(operator("lidar", 0.01), operator("screen", 0.01)),
    )  # fmt: skip
    live(changed, first.port)
    page.wait("document.querySelector('.operator .name').textContent === 'lidar'")
    assert texts(page, ".operator .name") == ["lidar", "screen"]
    assert not page.run("element.board.classList.contains('stale')")


def test_several_viewers_see_the_same(browser, page, live):
    run = live(faces())
    pages = [page, browser.page()]
    for one in pages:
        show(one)
        # Only one tab is in front; the other is to think so too.
        one.call("Emulation.setFocusEmulationEnabled", enabled=True)
        opened(one, run.url)
    run.snapshot = longer(run.snapshot)
    for one in pages:
        one.wait("document.querySelectorAll('.operator .rate')[1].textContent === '20 /s'")
    pages[1].open("about:blank")


def test_a_narrow_window_shows_it_below_when_asked_and_remembers_that(page, live):
    show(page, 480, 800)
    url = live(faces()).url
    page.open(url)
    assert page.run("element.flow.hidden")
    page.run("element.toggle.click()")
    page.wait("document.querySelectorAll('.operator').length")
    assert page.run("location.hash") == "#flow"
    assert page.run(
        "element.stage.getBoundingClientRect().bottom <= element.flow.getBoundingClientRect().top"
    )
    assert page.run("element.panes.scrollWidth <= element.panes.clientWidth")
    page.open("about:blank")
    opened(page, url + "#flow")
    page.run("element.toggle.click()")
    assert page.run("element.flow.hidden")
    assert page.run("location.hash") == "#video"


def test_it_can_be_hidden_in_a_wide_window_and_then_asks_for_nothing(page, live):
    show(page)
    run = live(faces())
    page.open(run.url + "#video")
    page.wait("page.shown")
    assert page.run("element.flow.hidden")
    assert not run.op._server._updater._viewers


def test_a_run_without_tracking_is_said_to_be_so(page, live):
    show(page)
    run = live(None)
    page.open(run.url)
    page.wait("!element.unknown.hidden")
    untracked = faces()
    blank = operator("x", 0, frames=0).working
    run.snapshot = replace(
        untracked, paths=(), operators=tuple(replace(b, working=blank) for b in untracked.operators)
    )
    page.wait("!element.untracked.hidden")
    assert texts(page, ".operator .name")[0] == "camera"
    assert page.run("getComputedStyle(element.latencies).display") == "none"


def many(count):
    """Return a run of so many operators in four rows, with a way back from each."""
    names = [f"op{number}" for number in range(count)]
    rows = [names[row::4] for row in range(4)]
    flows = [flow(f"{a}.out", f"{b}.in") for row in rows for a, b in itertools.pairwise(row)]
    flows += [flow(f"{row[-1]}.out", "op0.late", back_edge=True) for row in rows if row[1:]]
    return replace(
        faces(), operators=tuple(operator(n, 0.001) for n in names), flows=tuple(flows), paths=()
    )


@pytest.mark.parametrize("snapshot", [faces(), many(1), many(40)], ids=["faces", "one", "forty"])
def test_any_graph_fits_any_window(page, live, snapshot):
    url = live(snapshot).url
    for width in (480, 1120, 1280, 1600, 2400):
        show(page, width)
        page.open("about:blank")
        opened(page, url + "#flow")
        assert len(texts(page, ".operator")) == len(snapshot.operators)
        for part in ("flow", "panes"):
            assert page.run(f"element.{part}.scrollWidth <= element.{part}.clientWidth"), width
