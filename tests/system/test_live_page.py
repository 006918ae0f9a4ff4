"""The live page in a real browser: what it shows, and how it behaves."""

from __future__ import annotations

import math
import threading
import time

import numpy as np
import pytest
from websockets.sync.client import connect

from holoflow import Boxes, Header, Image, Keypoints, Mask, Text
from holoflow.operators.visualize.web import WebOp

pytestmark = pytest.mark.browser

WIDTH, HEIGHT = 640, 360
BACKGROUND, BALL = (20, 60, 40), (250, 240, 230)
ORANGE = [230, 159, 0]
STEP = 0.02
NONE = "\N{EN DASH}"


def centre(number):
    """x, y of the ball in frame `number`."""
    return round(320 + 200 * math.sin(number / 20)), round(180 + 90 * math.cos(number / 15))


def scene(number):
    """A ball of 60 by 60 pixels that moves, and all that can be said about it."""
    x, y = centre(number)
    data = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    data[:] = BACKGROUND
    data[y - 30 : y + 30, x - 30 : x + 30] = BALL
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[300:340, 20:60] = 3
    return {
        "image": Image(data),
        "boxes": Boxes(
            np.array([[x - 40, y - 40, x + 40, y + 40]], np.float32),
            np.array([0.9], np.float32), np.array([0]), ("ball",), np.array([4]),
        ),
        "mask": Mask(mask),
        "keypoints": Keypoints(np.array([[[x - 15, y], [x + 15, y]]], np.float32)),
        "text": Text(f"frame {number}"),
    }  # fmt: skip


class Feed:
    """An operator fed with the moving scene by a thread of its own."""

    def __init__(self, port=0):
        self.op = WebOp(port=port, title="Moving ball")
        self.op.context.announce = self._announce
        self.op.start()
        self._ending, self._going = threading.Event(), threading.Event()
        self._going.set()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def pause(self):
        self._going.clear()

    def resume(self):
        self._going.set()

    def _announce(self, _kind, url):
        self.url = url
        self.port = int(url.rstrip("/").rpartition(":")[2])

    def _run(self):
        number = 0
        while not self._ending.wait(STEP):
            if not self._going.is_set():
                continue
            self.op.process(Header(number, time.time_ns(), "ball"), **scene(number))
            number += 1

    def stop(self):
        self._ending.set()
        self._thread.join()
        self.op.stop()


@pytest.fixture
def feed():
    feeds = []

    def start(port=0):
        feeds.append(Feed(port))
        return feeds[-1]

    yield start
    for one in feeds:
        one.stop()


@pytest.fixture
def page(browser):
    page = browser.page()
    yield page
    assert not page.complaints
    page.open("about:blank")  # else it would find the page of the next test


def frame(page):
    return int(page.run("element.frame.textContent"))


def showing(page, feed):
    """Open the page and wait until some frames have been shown."""
    page.open(feed.url)
    page.wait("page.shown && page.shown.frame > 5")


def freeze(page):
    """Pause, and return the number of the frame that is shown."""
    page.run("element.pause.click()")
    return frame(page)


def picture_at(page, x, y):
    return page.run(f"[...element.picture.getContext('2d').getImageData({x}, {y}, 1, 1).data]")[:3]


def overlay_at(page, x, y):
    """Red, green, blue, alpha over the pixel x, y of the picture."""
    return page.run(
        "(() => { const scale = element.overlay.width / element.picture.width;"
        f"return [...element.overlay.getContext('2d').getImageData(Math.round({x} * scale),"
        f"Math.round({y} * scale), 1, 1).data]; }})()"
    )


def test_it_shows_moving_frames_with_the_box_where_it_is(browser, page, feed, tmp_path):
    showing(page, feed())
    assert page.run("document.title") == "Moving ball"
    assert page.run("element.state.textContent") == "live"
    first = freeze(page)
    for _ in range(2):
        number = frame(page)
        x, y = centre(number)
        assert picture_at(page, x, y) == pytest.approx(BALL, abs=8)
        assert picture_at(page, x, y + 45) == pytest.approx(BACKGROUND, abs=8)
        for side in ((x - 40, y), (x + 40, y), (x, y + 40)):
            *colour, alpha = overlay_at(page, *side)
            assert colour == pytest.approx(ORANGE, abs=3)
            assert alpha > 80  # a line has smooth edges
        for beside in ((x - 44, y), (x - 36, y + 5), (x + 44, y), (x, y + 44), (x, y + 36)):
            assert overlay_at(page, *beside)[3] == 0
        assert overlay_at(page, x - 15, y) == [*ORANGE, 255]  # the first keypoint
        assert overlay_at(page, 40, 320)[:3] == pytest.approx([0, 158, 115], abs=3)  # the mask
        assert overlay_at(page, 40, 320)[3] == pytest.approx(0.4 * 255, abs=2)
        page.run("element.pause.click()")
        page.wait(f"page.shown.frame > {number + 10}")
        page.run("element.pause.click()")
    assert frame(page) > first
    page.screenshot(tmp_path / "page.png")
    assert (tmp_path / "page.png").stat().st_size > 10_000


def test_numbers_say_what_is_going_on(page, feed):
    showing(page, feed())
    page.wait("/^[1-9][0-9.]* (of [0-9.]+ )?a second$/.test(element.rate.textContent)")
    page.wait("/^[0-9.]+ ms$/.test(element.latency.textContent)")
    assert page.run("element.size.textContent") == f"{WIDTH} \N{MULTIPLICATION SIGN} {HEIGHT}"


def test_a_stream_that_stands_still_is_not_called_live_and_its_picture_grows_old(page, feed):
    live = feed()
    showing(page, live)
    page.wait("/^[0-9.]+ ms behind$/.test(element.age.textContent)")
    live.pause()
    page.wait("/^no picture for [1-9] s$/.test(element.state.textContent)")
    assert page.run("element.stage.classList.contains('past')")
    assert page.run("[element.rate.textContent, element.latency.textContent]") == [NONE, NONE]
    page.wait("/^[1-9][.0-9]* s behind$/.test(element.age.textContent)")
    live.resume()
    page.wait("element.state.textContent === 'live'")
    assert not page.run("element.stage.classList.contains('past')")


@pytest.mark.parametrize("name", ["boxes", "labels", "mask", "points", "text"])
def test_a_switch_hides_what_it_names_and_nothing_else(page, feed, name):
    showing(page, feed())
    x, y = centre(freeze(page))
    spots = {
        "boxes": (x, y + 40), "labels": (x - 36, y - 43), "mask": (40, 320), "points": (x - 15, y),
        "text": (2, 2),
    }  # fmt: skip
    assert all(overlay_at(page, *spot)[3] > 0 for spot in spots.values())
    page.run(f"switches.{name}.click()")
    hidden = {spot for spot, at in spots.items() if overlay_at(page, *at)[3] == 0}
    assert hidden == ({"boxes", "labels"} if name == "boxes" else {name})
    page.run(f"switches.{name}.click()")
    assert all(overlay_at(page, *spot)[3] > 0 for spot in spots.values())


def test_a_paused_page_stands_still_and_goes_on(page, feed):
    live = feed()
    showing(page, live)
    number = freeze(page)
    assert page.run("element.state.textContent") == "paused"
    other = page.run("fetch('snapshot.jpg').then((r) => r.arrayBuffer()).then((b) => b.byteLength)")
    assert other > 1000  # the stream itself goes on
    page.run("new Promise((done) => setTimeout(done, 300))")
    assert frame(page) == number
    page.run("document.dispatchEvent(new KeyboardEvent('keydown', {key: ' '}))")
    page.wait(f"page.shown.frame > {number + 10}")
    assert page.run("element.state.textContent") == "live"


def test_a_hidden_page_asks_for_nothing_until_it_is_seen_again(page, feed):
    showing(page, feed())
    page.run("Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
    page.wait("!page.asked")
    number = page.run("page.shown.frame")
    page.run("new Promise((done) => setTimeout(done, 300))")
    assert page.run("page.shown.frame") == number
    page.run("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))")
    page.wait(f"page.shown.frame > {number + 10}")


def test_several_viewers_see_it_at_once(browser, page, feed):
    live = feed()
    pages = [page, browser.page(), browser.page()]
    for one in pages:
        one.open(live.url)
        # Only one tab is in front; the others are to think so too.
        one.call("Emulation.setFocusEmulationEnabled", enabled=True)
    for one in pages:
        one.wait("page.rhythm.shown.length > 5")
    for one in pages[1:]:
        one.open("about:blank")


def test_it_says_that_it_has_ended_and_finds_the_app_again(page, feed):
    live = feed()
    showing(page, live)
    live.stop()
    page.wait("element.state.textContent === 'done'")
    assert page.run("element.outcome.textContent") == "done"
    assert not page.run("element.end.hidden")
    assert page.run("[element.rate.textContent, element.latency.textContent]") == [NONE, NONE]
    last = frame(page)
    assert picture_at(page, *centre(last)) == pytest.approx(BALL, abs=8)
    feed(live.port)
    page.wait("element.state.textContent === 'live'")
    page.wait("page.shown.frame > 5")


def test_a_viewer_who_never_reads_holds_up_nobody(page, feed):
    live = feed()
    with connect(live.url.replace("http", "ws") + "live", max_queue=1, close_timeout=0.1) as line:
        for _ in range(1000):
            line.send("")
        showing(page, live)
        number = page.run("page.shown.frame")
        page.wait(f"page.shown.frame > {number + 30}")


def test_the_stream_plays_in_an_image_tag(page, feed):
    showing(page, feed())
    page.run("document.body.append(Object.assign(new Image(), {id: 'tag', src: 'stream.mjpg'}))")
    page.wait(f"document.getElementById('tag').naturalWidth === {WIDTH}")
    page.run("document.getElementById('tag').remove()")


def test_it_fits_small_and_large_windows_sharply(page, feed):
    showing(page, feed())
    for width, height, ratio in ((500, 500, 2), (1600, 900, 1)):
        page.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=ratio, mobile=False,
        )  # fmt: skip
        page.wait(
            f"innerWidth === {width} && element.overlay.width === "
            f"Math.round(element.picture.clientWidth * {ratio})"
        )
        shape = page.run("[element.picture.clientWidth, element.picture.clientHeight]")
        assert shape[0] / shape[1] == pytest.approx(WIDTH / HEIGHT, rel=0.02)
        assert page.run("document.documentElement.scrollHeight") <= height
