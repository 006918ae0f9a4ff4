"""`visualize.web` as its viewers see it: the protocol, who may look, start and stop."""

from __future__ import annotations

import contextlib
import gc
import json
import logging
import math
import socket
import struct
import threading
import time
import weakref
import zlib
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
import pytest
import simplejpeg
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from holoflow import Boxes, Header, HoloflowError, Image, Keypoints, Mask, ParameterError, Text
from holoflow.operators.visualize import web
from holoflow.operators.visualize._page.board import Board
from holoflow.operators.visualize.web import WebOp
from tests.support.snapshots import faces, history

PATIENCE = 300.0


class Live:
    """A started operator, and what a test wants of it."""

    def __init__(self, **parameters):
        self.op = WebOp(**parameters)
        self.announced = []
        self.op.context.announce = lambda kind, text: self.announced.append((kind, text))
        self.op.context.name = "screen"
        self.snapshot = None
        self.samples = ()
        self.op.context.snapshot = lambda: self.snapshot
        self.op.context.history = lambda: self.samples
        self.op.start()
        self.url = self.announced[0][1]
        self.count = 0

    def feed(self, image=None, **inputs):
        image = image or Image(np.full((24, 32, 3), self.count % 256, np.uint8))
        self.op.process(Header(self.count, time.time_ns(), "camera"), image, **inputs)
        self.count += 1

    def get(self, path="", **headers):
        return httpx.get(self.url + path, headers=headers, timeout=PATIENCE)


class Viewer:
    """What the page's script does, in Python."""

    def __init__(self, line):
        self.line = line
        self.hello = json.loads(self.line.recv(PATIENCE))

    def ask(self, shown=""):
        self.line.send(shown)

    def take(self):
        while isinstance(data := self.line.recv(PATIENCE), str):
            assert json.loads(data)["kind"] == "alive"
        self.delay, self.held, length = struct.unpack_from("<ffI", data)
        said = json.loads(data[12 : 12 + length])
        rest = data[12 + length :]
        self.mask = rest[said["jpeg"] :]
        self.picture = simplejpeg.decode_jpeg(rest[: said["jpeg"]], colorspace="RGB")
        return said

    def ends(self):
        """Return the last message before the connection is closed."""
        last = list(self.line)[-1]  # raises if it was closed in another way
        return json.loads(last)


@pytest.fixture
def start(monkeypatch):
    """Start operators; stops them at the end and looks that nothing is left behind."""
    # The usual port may be that of the user's own app, and be taken by it in between.
    monkeypatch.setattr(web, "USUAL_PORT", 0)
    before = set(threading.enumerate())
    with contextlib.ExitStack() as stack:

        def make(**parameters):
            live = Live(**parameters)
            stack.callback(live.op.stop)
            return live

        yield make
    left = [t for t in set(threading.enumerate()) - before if t.name.startswith("live page")]
    assert not left
    gc.collect()  # an unclosed socket warns, which is an error


@pytest.fixture
def view():
    with contextlib.ExitStack() as stack:

        def make(live, **options):
            address, _, query = live.url.partition("?")
            url = address.replace("http", "ws") + "live?" + query
            return Viewer(stack.enter_context(connect(url, max_size=None, **options)))

        yield make


# ---- what viewers get ----


def test_a_viewer_gets_the_picture_and_all_that_is_drawn_over_it(start, view):
    live = start(title="Door")
    viewer = view(live)
    assert viewer.hello["title"] == "Door"
    assert len(viewer.hello["palette"]) >= 7
    mask = np.zeros((24, 32), np.int64)
    mask[3:5, 10:14] = 2
    live.feed(
        boxes=Boxes(np.array([[1, 2, 3.25, 4]]), np.array([0.5]), np.array([1]), ("a", "b")),
        mask=Mask(mask, ("", "x", "y")),
        keypoints=Keypoints(np.array([[[1.5, 2], [np.nan, 0]]]), edges=((0, 1),)),
        text=Text("12 µm\n</script>"),
    )
    viewer.ask()
    said = viewer.take()
    assert said["frame"] == 0
    assert 0 <= said["age"] < PATIENCE
    assert said["boxes"] == [{"xyxy": [1, 2, 3.25, 4], "colour": 1, "label": "b 0.50"}]
    assert said["points"] == [[[1.5, 2], None]]
    assert said["edges"] == [[0, 1]]
    assert said["text"] == "12 µm\n</script>"
    assert said["mask"] == {"left": 10, "top": 3, "width": 4, "height": 2}
    assert zlib.decompress(viewer.mask) == bytes([2] * 8)
    assert viewer.picture.shape == (24, 32, 3)
    assert math.isnan(viewer.delay)


def test_what_was_found_in_another_picture_is_told_in_pixels_of_the_one_shown(start, view):
    whole = Image(np.zeros((24, 32, 3), np.uint8))
    part = whole.cropped(8, 4, 24, 20)
    small = part.resampled(part.data[::2, ::2]).geometry  # 8 x 8 pixels
    mask = np.zeros((8, 8), np.uint8)
    mask[1:3, 2:3] = 1
    live = start()
    viewer = view(live)
    live.feed(
        whole,
        boxes=Boxes(np.array([[1.0, 2, 3, 4]]), geometry=small),
        mask=Mask(mask, geometry=small),
        keypoints=Keypoints(np.array([[[1.5, 2]]]), geometry=small),
    )
    viewer.ask()
    said = viewer.take()
    assert [box["xyxy"] for box in said["boxes"]] == [[10, 8, 14, 12]]
    assert said["points"] == [[[11, 8]]]
    assert said["mask"] == {"left": 12, "top": 6, "width": 2, "height": 4}


def test_floats_up_to_255_and_12_bits_in_16_are_seen(start, view):
    live = start()
    viewer = view(live)
    for data in (np.full((24, 32), 128, np.float32), np.full((24, 32), 2048, np.uint16)):
        data[0] = 2 * data[0, 0] - 1
        live.feed(Image(data, "gray"))
        viewer.ask()
        viewer.take()
        assert abs(int(viewer.picture[16, 16, 0]) - 128) <= 2


def test_nothing_is_said_of_what_is_not_connected(start, view):
    live = start()
    viewer = view(live)
    assert viewer.hello["title"] == "screen"
    live.feed()
    viewer.ask()
    assert set(viewer.take()) == {"frame", "age", "arrived", "jpeg"}


def test_the_newest_frame_wins(start, view):
    live = start()
    viewer = view(live)
    for _ in range(5):
        live.feed()
    viewer.ask()
    assert viewer.take()["frame"] == 4
    viewer.ask()  # comes before there is a newer one
    live.feed()
    assert viewer.take()["frame"] == 5


def test_the_delay_is_that_of_the_frame_shown_before(start, view):
    live = start()
    viewer = view(live)
    live.feed()
    viewer.ask()
    arrived = viewer.take()["arrived"]
    viewer.ask(str(arrived))
    live.feed()
    viewer.take()
    assert 0 < viewer.delay <= time.monotonic() - arrived
    assert 0 <= viewer.held <= time.monotonic() - arrived


def test_a_timestamp_of_another_clock_tells_no_age(start, view):
    live = start()
    viewer = view(live)
    for timestamp in (0, time.time_ns() + 10**12):
        live.op.process(Header(0, timestamp, "recording"), Image(np.zeros((8, 8, 3), np.uint8)))
        viewer.ask()
        assert viewer.take()["age"] is None


@pytest.mark.parametrize(
    ("colour", "value", "shown"),
    [
        ("gray", 180, (180, 180, 180)),
        ("rgb", (255, 128, 0), (255, 128, 0)),
        ("bgr", (0, 128, 255), (255, 128, 0)),
        ("rgba", (255, 128, 0, 9), (255, 128, 0)),
        ("bgra", (0, 128, 255, 9), (255, 128, 0)),
    ],
)
def test_every_kind_of_image_is_shown_in_its_colours(start, view, colour, value, shown):
    live = start()
    viewer = view(live)
    for size in ((1, 1), (7, 5), (33, 17), (24, 32)):
        data = np.empty((*size, *np.shape(value)), np.uint8)
        data[:] = value
        for pixels in (data, data.astype(np.float32) / 255):
            live.feed(Image(pixels, colour))
            viewer.ask()
            viewer.take()
            assert viewer.picture.shape == (*size, 3)
            assert np.abs(viewer.picture.astype(int) - shown).max() < 8


def test_images_are_not_changed_and_need_not_be_contiguous(start, view):
    live = start()
    viewer = view(live)
    data = np.arange(48 * 64 * 3, dtype=np.uint8).reshape(48, 64, 3)[::2, ::-2]
    data.flags.writeable = False
    live.feed(Image(data))
    viewer.ask()
    viewer.take()
    assert viewer.picture.shape == (24, 32, 3)


@pytest.mark.parametrize(
    ("image", "inputs", "message"),
    [
        (Image(np.zeros((4, 4, 3), np.uint8), "lab"), {}, "in lab; convert it"),
        (Image(np.zeros((1, 70_000), np.uint8), "gray"), {}, "takes up to 65500"),
        (None, {"mask": Mask(np.zeros((2, 2), np.uint8))}, "must have the same size"),
        (None, {"keypoints": Keypoints(np.zeros((1, 1, 3)))}, "place on the picture"),
    ],
)
def test_what_cannot_be_shown_fails_where_it_is_given(start, image, inputs, message):
    live = start()
    with pytest.raises(ValueError, match=message):
        live.feed(image, **inputs)


# ---- the work it does ----


@pytest.fixture
def encoded(monkeypatch):
    """A list that grows with each picture that is encoded."""
    calls = []
    encode = simplejpeg.encode_jpeg

    def counted(*args, **options):
        calls.append(1)
        return encode(*args, **options)

    monkeypatch.setattr(simplejpeg, "encode_jpeg", counted)
    return calls


def test_a_frame_is_encoded_once_for_all_viewers(start, view, encoded):
    live = start()
    viewers = [view(live) for _ in range(3)]
    for expected in range(4):
        live.feed()
        for viewer in viewers:
            viewer.ask()
        assert [viewer.take()["frame"] for viewer in viewers] == [expected] * 3
    assert len(encoded) == 4


def test_nothing_is_encoded_while_nobody_looks(start, view, encoded):
    live = start()
    view(live)  # is there, but asks for nothing: a paused or a hidden page
    for _ in range(20):
        live.feed()
    assert live.get("snapshot.jpg").status_code == 200
    assert len(encoded) == 1


def test_a_viewer_who_never_reads_holds_up_nobody_and_no_memory(start, view):
    live = start()
    greedy = view(live, close_timeout=0.1, max_queue=1)
    for _ in range(2_000):  # asks for everything, reads nothing
        greedy.line.send("")
    reader = view(live)
    noise = np.random.default_rng(0).integers(0, 255, (240, 320, 3), np.uint8)
    held = []
    for expected in range(300):
        data = noise.copy()
        held.append(weakref.ref(data))
        live.feed(Image(data))
        del data
        reader.ask()
        assert reader.take()["frame"] == expected
    gc.collect()
    assert sum(data() is not None for data in held) <= 4


# ---- the dashboard ----


@pytest.fixture
def watch():
    """Look at the dashboard as the page's script does."""
    with contextlib.ExitStack() as stack:

        def make(live, **options):
            address, _, query = live.url.partition("?")
            url = address.replace("http", "ws") + "flow?" + query
            return stack.enter_context(connect(url, max_size=None, **options))

        yield make


def told(line):
    """Ask, and return what is answered."""
    line.send("")
    return heard(line)


def heard(line):
    """Return the next message but those that only show that the app answers."""
    while (said := json.loads(line.recv(PATIENCE)))["kind"] == "alive":
        pass
    return said


@pytest.fixture
def made(monkeypatch):
    """A list that grows with each update that is made."""
    calls = []
    update = Board.update

    def counted(board, snapshot):
        calls.append(snapshot)
        return update(board, snapshot)

    monkeypatch.setattr(Board, "update", counted)
    return calls


def test_a_viewer_of_the_dashboard_gets_all_then_what_changes(start, watch):
    live = start()
    live.snapshot, live.samples = faces(), history(faces())
    line = watch(live)
    hello = told(line)
    assert (hello["kind"], hello["app"], len(hello["history"])) == ("hello", "faces", 20)
    live.snapshot = faces(10.5)
    update = told(line)
    assert (update["kind"], update["t"], update["span"]) == ("now", 10.5, 0.5)
    assert "graph" not in update
    live.snapshot = replace(faces(11.0), paths=())
    assert told(line)["kind"] == "hello"  # what the page has built no longer fits


def test_without_a_run_the_dashboard_says_so_until_there_is_one(start, watch):
    live = start()
    line = watch(live)
    assert told(line) == {"kind": "nothing"}
    live.snapshot = faces()
    assert told(line)["kind"] == "hello"


def test_updates_are_made_once_for_all_and_only_while_somebody_asks(start, watch, made):
    live = start()
    live.snapshot = faces()
    lines = [watch(live) for _ in range(3)]
    assert not made
    assert [told(line)["kind"] for line in lines] == ["hello"] * 3
    for step in range(1, 4):
        live.snapshot = faces(10.0 + step)
        assert [told(line)["t"] for line in lines] == [10.0 + step] * 3
    assert [snapshot.seconds for snapshot in made] == [10, 11, 12, 13]
    # Nobody asks: what happens now is told to nobody.
    live.snapshot = faces(20.0)
    live.snapshot = faces(21.0)
    assert told(lines[0])["t"] == 21
    assert len(made) == 5


def test_who_comes_later_is_told_of_now_and_not_of_long_ago(start, watch, made):
    live = start()
    live.snapshot = faces()
    with watch(live) as early:
        told(early)
    live.snapshot = faces(500.0)
    later = watch(live)
    seen = told(later)
    while seen.get("now", seen)["t"] != 500:
        seen = told(later)


def test_a_viewer_of_the_dashboard_who_never_reads_holds_up_nobody(start, watch):
    live = start()
    live.snapshot = faces()
    greedy = watch(live, close_timeout=0.1, max_queue=1)
    for _ in range(2_000):
        greedy.send("")
    reader = watch(live)
    told(reader)
    for step in range(1, 4):
        live.snapshot = faces(10.0 + step)
        assert told(reader)["t"] == 10.0 + step


def test_the_dashboard_ends_with_the_run(start, watch):
    live = start()
    live.snapshot = faces()
    line = watch(live)
    told(line)
    line.send("")
    live.op.stop()
    with pytest.raises(ConnectionClosed) as closed:
        line.recv(PATIENCE)
    assert closed.value.rcvd.code in (1000, 1012)


def test_a_dashboard_that_fails_is_logged_and_the_pictures_go_on(start, watch, view, caplog):
    live = start()
    live.snapshot = "no snapshot"
    with pytest.raises(ConnectionClosed):
        told(watch(live))
    assert [record.message for record in caplog.records] == [
        "the dashboard of the live page has failed"
    ]
    viewer = view(live)
    live.feed()
    viewer.ask()
    assert viewer.take()["frame"] == 0


def test_the_dashboard_is_guarded_as_the_pictures_are(start, watch):
    live = start(token="s3cret-s3cret-s3cret")
    live.snapshot = faces()
    base = live.url.partition("?")[0].replace("http", "ws")
    for query in ("", "?token=wrong"):
        with pytest.raises(InvalidStatus) as refused, connect(base + "flow" + query):
            pass
        assert refused.value.response.status_code == 403
    with pytest.raises(InvalidStatus):
        watch(live, origin="https://evil.example")
    assert told(watch(live))["kind"] == "hello"


# ---- other ways to look ----


def test_the_snapshot_is_the_newest_frame(start):
    live = start()
    early = live.get("snapshot.jpg")
    assert (early.status_code, early.headers["retry-after"]) == (503, "1")
    live.feed()
    live.feed(Image(np.full((10, 20, 3), 200, np.uint8)))
    answer = live.get("snapshot.jpg")
    assert answer.headers["content-type"] == "image/jpeg"
    picture = simplejpeg.decode_jpeg(answer.content)
    assert picture.shape == (10, 20, 3)
    assert abs(int(picture[0, 0, 0]) - 200) < 4


def test_the_stream_is_multipart_jpeg_and_ends_with_the_app(start):
    live = start()
    live.feed()
    with httpx.stream("GET", live.url + "stream.mjpg", timeout=PATIENCE) as answer:
        assert answer.headers["content-type"] == "multipart/x-mixed-replace; boundary=frame"
        data, chunks = b"", answer.iter_raw()
        for frames in range(1, 4):
            while data.count(b"--frame\r\n") < frames + 1:
                data += next(chunks)
            live.feed()
        live.op.stop()
        data += b"".join(chunks)
    for part in data.split(b"--frame\r\n")[1:-1]:
        head, _, body = part.partition(b"\r\n\r\n")
        length = int(head.split(b"Content-Length: ")[1])
        assert simplejpeg.decode_jpeg(body[:length]).shape == (24, 32, 3)
        assert body[length:] == b"\r\n"


def test_the_page_loads_nothing_from_elsewhere(start):
    live = start()
    scripts = ("page.js", "dashboard.js", "graph.js", "curves.js", "words.js")
    for path in ("", *scripts, "page.css", "graph.css", "dashboard.css"):
        answer = live.get(path)
        assert answer.status_code == 200
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "https://" not in answer.text
    assert live.get("etc/passwd").status_code == 404


# ---- who may look ----


def test_only_this_machine_can_reach_it(start):
    live = start()
    assert live.url.startswith("http://127.0.0.1:")
    port = int(live.url.rstrip("/").rpartition(":")[2])
    with socket.socket() as other:
        other.settimeout(1)
        assert other.connect_ex(("127.0.0.2", port)) != 0


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "[", "localhost.x"])
def test_a_foreign_name_for_this_machine_is_refused(start, host):
    live = start()
    assert live.get("snapshot.jpg", Host=host).status_code in (400, 403)
    assert live.get(Host="localhost:9").status_code == 200  # as through an ssh tunnel


def test_a_page_of_another_origin_is_refused(start, view):
    live = start()
    own = live.url.rstrip("/")
    view(live, origin=own)
    for origin in ("https://evil.example", "http://127.0.0.1:1", "null"):
        with pytest.raises(InvalidStatus) as refused:
            view(live, origin=origin)
        assert refused.value.response.status_code == 403
    assert live.get("snapshot.jpg", Origin="https://evil.example").status_code == 403


def test_with_a_token_all_need_it_who_want_to_see(start, view):
    secret = "s3cret-s3cret-s3cret"
    live = start(token=secret)
    assert live.url.endswith(f"/?token={secret}")
    base = live.url.partition("?")[0]
    live.feed()
    for path in ("", "snapshot.jpg", "stream.mjpg"):
        for query in ("", "?token=wrong", "?token=%C3%A4"):
            assert httpx.get(base + path + query).status_code == 403
    with pytest.raises(InvalidStatus), connect(base.replace("http", "ws") + "live"):
        pass
    assert httpx.get(base + "page.js").status_code == 200
    assert httpx.get(f"{base}snapshot.jpg?token={secret}").status_code == 200
    viewer = view(live)
    viewer.ask()
    assert viewer.take()["frame"] == 0


def test_a_host_that_others_reach_gets_a_token_by_itself(start):
    live, other = start(host="0.0.0.0"), start(host="0.0.0.0")
    tokens = [one.url.rpartition("?token=")[2] for one in (live, other)]
    assert all(len(token) >= 32 for token in tokens)
    assert tokens[0] != tokens[1]
    port = live.url.split(":")[2].split("/")[0]
    local = f"http://127.0.0.1:{port}/"
    assert httpx.get(local).status_code == 403
    assert httpx.get(f"{local}?token={tokens[0]}").status_code == 200


def test_the_environment_names_the_address_of_a_container(start, monkeypatch):
    monkeypatch.setenv("HOLOFLOW_LISTEN", "127.0.0.2")
    live = start()
    assert live.url.startswith("http://127.0.0.2:")
    assert httpx.get(live.url).status_code == 200
    assert httpx.get(live.url.partition("?token=")[0]).status_code == 403
    assert "token" not in start(host="127.0.0.1").url
    monkeypatch.setenv("HOLOFLOW_LISTEN", "")
    assert "token" not in start().url


def test_a_weak_token_is_refused():
    for token in ("short", "with a blank in it, but long"):
        with pytest.raises(ParameterError, match="token"):
            WebOp(token=token)


def test_a_refusal_is_nothing_to_log_as_an_error(start, view, caplog):
    live = start()
    with pytest.raises(InvalidStatus):
        view(live, origin="https://evil.example")
    live.op.stop()
    assert not [r for r in caplog.records if r.levelno >= logging.WARNING]


def test_half_requests_starve_nobody(start, view, caplog):
    live = start(host="0.0.0.0")
    address = ("127.0.0.1", int(live.url.split(":")[2].split("/")[0]))
    live.url = live.url.replace(live.url.split("/")[2], f"127.0.0.1:{address[1]}")
    files = len(list(Path("/proc/self/fd").iterdir()))
    with contextlib.ExitStack() as stack:
        for number in range(400):
            at = (f"127.0.0.{2 + number % 3}", 0)
            half = stack.enter_context(socket.create_connection(address, source_address=at))
            half.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n")
        good = view(live)
        live.feed()
        good.ask()
        assert good.take()["frame"] == 0
        # 400 ends are the strangers' own.
        assert len(list(Path("/proc/self/fd").iterdir())) < files + 400 + 100
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 1
    assert "has given way to a newer one" in lines[0]


def test_rubbish_is_logged_now_and_then(start, caplog):
    live = start()
    address = ("127.0.0.1", int(live.url.rstrip("/").rpartition(":")[2]))
    for _ in range(20):
        with socket.create_connection(address, PATIENCE) as rude:
            rude.sendall(b"GET /\r\nrubbish\r\n\r\n")
            assert rude.recv(100).startswith(b"HTTP/1.1 400")
    assert len(caplog.records) <= 1


@pytest.mark.parametrize("junk", ["x" * 1000, b"\x00\x01", "nan", "1e999"])
def test_junk_from_one_viewer_harms_nobody(start, view, junk, caplog):
    live = start()
    rude, good = view(live), view(live)
    rude.line.send(junk)
    live.feed()
    good.ask()
    assert good.take()["frame"] == 0
    assert not [r for r in caplog.records if r.levelno >= logging.WARNING]


def test_a_message_without_end_is_cut_off(start, view):
    rude = view(start())
    rude.line.send("x" * 100_000)
    with pytest.raises(ConnectionClosed):
        rude.line.recv(PATIENCE)


# ---- start and stop ----


def test_the_address_is_announced(start):
    ((kind, url),) = start().announced
    assert kind == "live page"
    assert httpx.get(url).text.startswith("<!doctype html>")


def test_a_port_that_is_taken_is_named_and_a_free_one_is_found(start):
    live = start()
    port = int(live.url.rstrip("/").rpartition(":")[2])
    with pytest.raises(HoloflowError, match=f"cannot listen on 127.0.0.1:{port}: .*`port`"):
        start(port=port)
    assert start().url != live.url


def test_a_host_that_does_not_exist_is_named(start):
    with pytest.raises(HoloflowError, match=r"cannot listen on nowhere\.invalid"):
        start(host="nowhere.invalid")


def test_it_can_be_restarted_on_its_port(start, view):
    live = start()
    port = int(live.url.rstrip("/").rpartition(":")[2])
    viewer = view(live)
    live.op.stop()
    viewer.ends()
    again = start(port=port)
    again.feed()
    viewer = view(again)
    viewer.ask()
    assert viewer.take()["frame"] == 0


def test_viewers_are_told_how_the_run_ended_whether_they_wait_or_not(start, view, tmp_path):
    live = start()
    waiting, idle = view(live), view(live)
    live.feed()
    waiting.ask()
    waiting.take()
    waiting.ask()
    live.op.context.output = tmp_path
    (tmp_path / "clip.mp4").write_bytes(b"1234")
    live.op.context.outcome = lambda: ("failed", "operator 'detect' failed on frame 3 of camera")
    live.op.stop()
    for viewer in (waiting, idle):
        assert viewer.ends() == {
            "kind": "end",
            "outcome": "failed",
            "failure": "operator 'detect' failed on frame 3 of camera",
            "output": str(tmp_path),
            "files": [{"name": "clip.mp4", "size": 4}],
        }


def test_it_stops_while_a_viewer_does_not_read(start):
    live = start()
    host, port = live.url.split("/")[2].split(":")
    noise = np.random.default_rng(0).integers(0, 255, (720, 1280, 3), np.uint8)
    with socket.create_connection((host, int(port))) as stalled:
        stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stalled.sendall(b"GET /stream.mjpg HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert stalled.recv(10)
        for _ in range(30):
            live.feed(Image(noise))
            live.get("snapshot.jpg")
        live.op.stop()
    with pytest.raises(httpx.ConnectError):
        live.get()


def test_stopping_twice_or_without_a_start_does_nothing(start):
    live = start()
    live.op.stop()
    live.op.stop()
    WebOp().stop()


def test_without_live_pages_it_only_consumes():
    op = WebOp()
    op.context.web = False
    op.context.announce = lambda *_: pytest.fail("announced")
    before = threading.active_count()
    op.start()
    op.process(Header(0, 0, "camera"), Image(np.zeros((4, 4, 3), np.uint8)))
    assert threading.active_count() == before
    op.stop()
