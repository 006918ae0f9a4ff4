import http.server
import re
import socket
import threading
from contextlib import suppress
from fractions import Fraction
from functools import partial
from itertools import islice, product
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.damage import damaged as damaged_bytes

from holoflow import HoloflowError, ParameterError
from holoflow.operators.capture.video import VideoOp

WIDTH, HEIGHT, FRAMES = 64, 48, 30
RED = (220, 30, 30)


def pictures(count=FRAMES):
    """A red upper half, and noise that changes, so that frames differ and packets are large."""
    random = np.random.default_rng(0)
    for _ in range(count):
        data = random.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
        data[: HEIGHT // 2] = RED
        yield data


def make_clip(path, codec="libx264", times=None, count=FRAMES):
    """Write a clip; `times` in ms, else 25 frames a second."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options={"qmax": "10"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.max_b_frames = 0
        stream.codec_context.time_base = Fraction(1, 1000)
        for index, data in enumerate(pictures(count)):
            frame = av.VideoFrame.from_ndarray(data, "rgb24")
            frame.pts = times[index] if times else 40 * index
            frame.time_base = Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return str(path)


@pytest.fixture(scope="session")
def clip(tmp_path_factory):
    return make_clip(tmp_path_factory.mktemp("clip") / "clip.mp4")


def play(running, limit=None, **parameters):
    operator = VideoOp(**parameters)
    with running(operator) as seen:
        return list(islice(operator.frames(), limit)), seen


def damaged(path, indices, target):
    """Copy the clip with the packets of `indices` overwritten."""
    data = bytearray(Path(path).read_bytes())
    with av.open(path) as container:
        for index, packet in enumerate(container.demux(video=0)):
            if index in indices:
                data[packet.pos : packet.pos + packet.size] = bytes(packet.size)
    target.write_bytes(data)
    return str(target)


def test_frames_are_paced_by_the_times_of_the_recording(clip, running):
    frames, seen = play(running, path=clip)
    assert [frame.elapsed for frame in frames] == [40_000_000 * i for i in range(FRAMES)]
    assert all(frame.wait and frame.timestamp is None for frame in frames)
    assert seen.drops == 0


def test_frames_may_come_at_uneven_times(tmp_path, running):
    times = [0, 10, 500, 510, 2000]
    path = make_clip(tmp_path / "clip.mkv", times=times, count=5)
    frames, _ = play(running, path=path)
    assert [frame.elapsed for frame in frames] == [10**6 * time for time in times]


def test_a_rate_replaces_the_times(clip, running):
    frames, _ = play(running, path=clip, rate="30hz")
    assert [frame.elapsed for frame in frames] == [round(i * 1e9 / 30) for i in range(FRAMES)]


def test_unpaced_frames_do_not_wait(clip, running):
    frames, _ = play(running, path=clip, paced=False)
    assert not any(frame.wait for frame in frames)
    assert frames[1].elapsed == 40_000_000


@pytest.mark.parametrize("rate", [None, "25hz"])
def test_a_looped_clip_goes_on_in_time(clip, running, rate):
    frames, _ = play(running, 3 * FRAMES + 2, path=clip, loop=True, rate=rate)
    assert [frame.elapsed for frame in frames] == [40_000_000 * i for i in range(3 * FRAMES + 2)]
    first, again = frames[1].payload.data, frames[FRAMES + 1].payload.data
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize(
    ("colour", "expected"), [("rgb", RED), ("bgr", RED[::-1]), ("gray", (87,))]
)
def test_colours(clip, running, colour, expected):
    image = play(running, path=clip, colour=colour)[0][0].payload
    assert image.colour == colour
    assert image.data.dtype == np.uint8
    assert image.data.shape[:2] == (HEIGHT, WIDTH)
    inside = image.data[4 : HEIGHT // 2 - 4, 4:-4].reshape(-1, len(expected))
    assert inside.mean(axis=0) == pytest.approx(expected, abs=6)


def test_pictures_come_in_order_and_as_they_are(clip, running):
    frames, _ = play(running, path=clip)
    for frame, expected in zip(frames, pictures(), strict=True):
        # The noise's colour is halved in resolution; its brightness is not.
        difference = frame.payload.data.mean(axis=2) - expected.mean(axis=2)
        assert np.abs(difference).mean() < 25


def test_frames_have_memory_of_their_own(clip, running):
    operator = VideoOp(path=clip)
    asked = []
    operator.context.allocate = lambda shape, dtype: asked.append(shape) or np.empty(shape, dtype)
    with running(operator):
        frames = list(operator.frames())
    assert asked == [(HEIGHT, WIDTH, 3)] * FRAMES
    assert not np.shares_memory(frames[0].payload.data, frames[1].payload.data)


ONE = 1 << 16


@pytest.mark.parametrize(
    ("matrix", "shown"),
    [
        ((1, 0, 0, 1), lambda image: image),
        ((-1, 0, 0, 1), lambda image: image[:, ::-1]),
        ((1, 0, 0, -1), lambda image: image[::-1]),
        ((-1, 0, 0, -1), lambda image: np.rot90(image, 2)),
        ((0, 1, -1, 0), lambda image: np.rot90(image, -1)),
        ((0, -1, 1, 0), lambda image: np.rot90(image, 1)),
        ((0, 1, 1, 0), lambda image: image.swapaxes(0, 1)),
        ((0, -1, -1, 0), lambda image: np.rot90(image, 2).swapaxes(0, 1)),
    ],
)
def test_a_clip_filmed_turned_or_mirrored_comes_upright(clip, tmp_path, running, matrix, shown):
    data = Path(clip).read_bytes()
    place = data.index(b"tkhd") + 4 + 40
    a, b, c, d = (ONE * part for part in matrix)
    written = [a, b, 0, c, d, 0, 0, 0, 1 << 30]
    path = tmp_path / "turned.mp4"
    path.write_bytes(
        data[:place] + b"".join(n.to_bytes(4, "big", signed=True) for n in written)
        + data[place + 36 :]
    )  # fmt: skip
    stored = play(running, path=clip)[0][0].payload.data
    image = play(running, path=str(path))[0][0].payload
    np.testing.assert_array_equal(image.data, shown(stored))


def key_frames(path):
    with av.open(path) as container:
        return [i for i, packet in enumerate(container.demux(video=0)) if packet.is_keyframe]


def test_frames_that_cannot_be_decoded_are_left_out_with_those_made_of_them(
    clip, tmp_path, running, caplog
):
    second = key_frames(clip)[1]
    path = damaged(clip, {5, 7}, tmp_path / "damaged.mp4")
    frames, seen = play(running, path=path)
    elapsed = [frame.elapsed // 40_000_000 for frame in frames]
    assert elapsed == [i for i in range(FRAMES) if not 5 <= i < second]
    assert seen.drops == second - 5
    assert f"{second - 5} frames could not be decoded" in caplog.text


@pytest.fixture(scope="session")
def moving(tmp_path_factory):
    """A clip whose frames are made of earlier and of later ones, with a key frame in 15."""
    path = str(tmp_path_factory.mktemp("moving") / "clip.mp4")
    texture = np.random.default_rng(0).integers(0, 256, (HEIGHT + 60, WIDTH + 60, 3), np.uint8)
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"g": "15", "sc_threshold": "0"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.max_b_frames = 3
        for i in range(60):
            data = np.ascontiguousarray(texture[i : i + HEIGHT, i : i + WIDTH])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(data, "rgb24")))
        container.mux(stream.encode(None))
    return path


def by_time(frames):
    return {frame.elapsed: frame.payload.data for frame in frames}


@pytest.mark.parametrize(
    ("hurt", "share"),
    # No third of packet 59, the last: FFmpeg's threads now and then do not report its damage.
    [*product([{16}, {17}, {31, 32}, {58}, {0}], [3, 1]), ({59}, 1)],
)
def test_no_frame_is_shown_with_wrong_pixels(moving, tmp_path, running, hurt, share):
    """Every frame that is shown is as it is in the whole clip; all others are counted."""
    data = bytearray(Path(moving).read_bytes())
    with av.open(moving) as container:
        for index, packet in enumerate(container.demux(video=0)):
            if index in hurt:
                begin = packet.pos + packet.size - packet.size // share
                data[begin : packet.pos + packet.size] = bytes(packet.pos + packet.size - begin)
    path = tmp_path / "damaged.mp4"
    path.write_bytes(data)
    whole = by_time(play(running, path=moving)[0])
    frames, seen = play(running, path=str(path))
    assert len(whole) == 60
    assert len(frames) + seen.drops == 60
    assert len(frames) >= 60 - 15 * len({index // 15 for index in hurt}) - 3
    start = 0 if 0 not in hurt else 60 - len(frames)  # elapsed times begin with the first frame
    for elapsed, pixels in by_time(frames).items():
        np.testing.assert_array_equal(pixels, whole[elapsed + 40_000_000 * start])


def motion_jpeg(path, **options):
    """Write a clip of MJPEG whose blocks take far less than 24 bytes."""
    ramp = np.add.outer(np.arange(240), np.arange(320))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuvj420p"
        for i in range(6):
            data = np.stack([ramp // 2, ramp // 3, (ramp * (i + 1)) % 256], axis=2)
            frame = av.VideoFrame.from_ndarray(data.astype(np.uint8), "rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.size]


@pytest.mark.parametrize("huffman", ["default", "optimal"])
@pytest.mark.parametrize("suffix", [".mkv", ".avi", ".mov"])
def test_frames_of_motion_jpeg_are_all_shown(tmp_path, running, suffix, huffman):
    path = tmp_path / f"clip{suffix}"
    motion_jpeg(path, huffman=huffman)
    frames, seen = play(running, path=str(path))
    assert (len(frames), seen.drops) == (6, 0)


@pytest.mark.parametrize("extra", [b"", b"\xff\xd9", bytes(300), b"\x12\xff\x34" * 50])
def test_frames_of_motion_jpeg_may_lack_their_end_or_be_padded(tmp_path, running, extra):
    """Cameras make such."""
    path, bodies = tmp_path / "clip.avi", motion_jpeg(tmp_path / "whole.avi")
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuvj420p"
        for i, body in enumerate(bodies):
            packet = av.Packet(body.removesuffix(b"\xff\xd9") + extra)
            packet.stream, packet.pts, packet.dts = stream, i, i
            packet.time_base = Fraction(1, 25)
            container.mux(packet)
    frames, seen = play(running, path=str(path))
    assert (len(frames), seen.drops) == (6, 0)
    whole = play(running, path=str(tmp_path / "whole.avi"))[0]
    for frame, expected in zip(frames, whole, strict=True):
        np.testing.assert_array_equal(frame.payload.data, expected.payload.data)


@pytest.mark.parametrize("suffix", [".mkv", ".avi"])
@settings(max_examples=15, suppress_health_check=list(HealthCheck), deadline=None)
@given(hurt=st.sets(st.integers(1, 5), min_size=1), part=st.floats(0.2, 0.7))
def test_frames_of_motion_jpeg_whose_end_is_zeroed_are_counted_and_alone(
    tmp_path, running, suffix, hurt, part
):
    """By the default tables, zeros take 24 bytes a block: they end before the picture does."""
    path = tmp_path / f"clip{suffix}"
    bodies = motion_jpeg(path, huffman="default")
    data, whole = bytearray(path.read_bytes()), by_time(play(running, path=str(path))[0])
    for index in hurt:
        size = round(len(bodies[index]) * part)
        end = data.index(bodies[index]) + len(bodies[index])
        data[end - size : end] = bytes(size)
    path.write_bytes(data)
    frames, seen = play(running, path=str(path))
    assert seen.drops == len(hurt)
    shown = by_time(frames)
    assert list(shown) == [40_000_000 * i for i in range(6) if i not in hurt]
    for elapsed, pixels in shown.items():
        np.testing.assert_array_equal(pixels, whole[elapsed])


def remuxed(source_path, target_path, **options):
    with (
        av.open(source_path) as source,
        av.open(str(target_path), "w", options=options) as target,
    ):
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                target.mux(packet)
    return target_path.read_bytes()


def test_packets_of_a_transport_stream_that_are_lost_spoil_no_frame_that_is_shown(
    moving, tmp_path, running
):
    path = tmp_path / "clip.ts"
    data = remuxed(moving, path)
    whole = {frame.payload.data.tobytes() for frame in play(running, path=str(path))[0]}
    assert len(whole) == 60
    for lost in range(4, len(data) // 188 - 4, 5):
        path.write_bytes(data[: 188 * lost] + data[188 * (lost + 1 + lost % 2) :])
        frames, seen = play(running, path=str(path))
        assert {frame.payload.data.tobytes() for frame in frames} <= whole, lost
        assert len(frames) >= 44, (lost, len(frames))
        assert bool(seen.drops) == (len(frames) < 60), lost


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_recording_that_breaks_off_is_played_to_its_end_and_told(
    moving, tmp_path, running, caplog, suffix
):
    whole = tmp_path / f"whole{suffix}"
    remuxed(moving, whole, **({"movflags": "faststart"} if suffix == ".mp4" else {}))
    with av.open(str(whole)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        breaks = sorted(packet.pos for packet in packets)[40] + 50  # within a packet
    cut = tmp_path / f"cut{suffix}"
    cut.write_bytes(whole.read_bytes()[:breaks])
    assert play(running, path=str(whole))[1].drops == 0
    assert caplog.text == ""
    frames, seen = play(running, path=str(cut))
    assert len(frames) == 40
    assert seen.drops == 20
    assert "the file ends early: 40 of 60 frames" in caplog.text


@pytest.mark.parametrize("times", ["a gap", "uneven", "from 1 s on"])
def test_the_end_of_a_recording_that_is_not_evenly_spaced_is_not_counted(
    tmp_path, running, caplog, times
):
    placed = {
        "a gap": [40 * i + 400 * (i > 20) for i in range(60)],
        "uneven": [40 * i + 15 * (i % 2) for i in range(60)],
        "from 1 s on": [1000 + 40 * i for i in range(60)],
    }[times]
    path = make_clip(tmp_path / "whole.mkv", times=placed, count=60)
    with av.open(path) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        breaks = sorted(packet.pos for packet in packets)[40] + 50
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(Path(path).read_bytes()[:breaks])
    frames, seen = play(running, path=str(cut))
    assert (len(frames), seen.drops) == (40, 0)
    assert re.search(r"the file ends early: [\d.]+ of [\d.]+ s", caplog.text)


@settings(max_examples=10, suppress_health_check=list(HealthCheck), deadline=None)
@given(share=st.floats(0.2, 0.99), rate=st.sampled_from([Fraction(30000, 1001), Fraction(25), 60]))
def test_frames_shown_and_counted_are_those_of_the_whole_recording(tmp_path, running, share, rate):
    """Wherever a recording with reordered frames, and sound that lasts longer, breaks off."""
    path, cut = tmp_path / "whole.mkv", tmp_path / "cut.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate, options={"g": "15"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.max_b_frames = 3
        sound = container.add_stream("pcm_s16le", rate=8000)
        for data in pictures(90):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(data, "rgb24")))
            samples = av.AudioFrame.from_ndarray(np.zeros((1, 400), np.int16), "s16", "mono")
            samples.sample_rate = 8000
            container.mux(sound.encode(samples))
        container.mux(stream.encode(None))
        container.mux(sound.encode(None))
    data = path.read_bytes()
    for kept in (1.0, share):
        cut.write_bytes(data[: round(len(data) * kept)])
        frames, seen = play(running, path=str(cut))
        assert len(frames) + seen.drops == 90
        assert kept < 1 or seen.drops == 0


def trace(path, *sizes, default=(), attached=()):
    """Write an .mkv of several video streams."""
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("mpeg4", rate=25) for _ in sizes]
        for index, (stream, size) in enumerate(zip(streams, sizes, strict=True)):
            stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
            stream.disposition = av.stream.Disposition.default if index in default else 0
            if index in attached:
                stream.disposition = av.stream.Disposition.attached_pic
        for stream, size in zip(streams, sizes, strict=True):
            frame = av.VideoFrame.from_ndarray(np.zeros((size[1], size[0], 3), np.uint8), "rgb24")
            container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    return str(path)


@pytest.mark.parametrize(
    ("default", "chosen", "width"),
    [((), None, 96), ((0,), None, 64), ((2,), None, 32), ((2,), 1, 96)],
)
def test_the_default_video_stream_is_read_and_the_others_are_named(
    tmp_path, running, caplog, default, chosen, width
):
    path = trace(tmp_path / "several.mkv", (64, 48), (96, 64), (32, 32), default=default)
    frames, _ = play(running, path=path, stream=chosen)
    assert frames[0].payload.width == width
    told = "0 (mpeg4, 64 x 48), 1 (mpeg4, 96 x 64), 2 (mpeg4, 32 x 32)" in caplog.text
    assert told == (chosen is None)


def test_a_stream_that_is_no_video_is_an_error(clip):
    with pytest.raises(HoloflowError, match=r"stream 3 is not video, but 0 \(h264, 64 x 48\)"):
        VideoOp(path=clip, stream=3).start()


def test_a_raw_stream_without_times_is_evenly_spaced(clip, tmp_path, running):
    path = tmp_path / "raw.h264"
    with av.open(clip) as source, av.open(str(path), "w", format="h264") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                target.mux(packet)
    frames, _ = play(running, path=str(path))
    steps = np.diff([frame.elapsed for frame in frames])
    assert len(frames) == FRAMES
    assert steps.min() > 0
    assert steps.max() - steps.min() <= 2


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.mp4", None, r"No such file or directory: .*none\.mp4"),
        ("text.mp4", b"no video" * 100, r"Invalid data.*: .*text\.mp4"),
        ("empty.mp4", b"", r"Invalid data.*: .*empty\.mp4"),
    ],
)
def test_what_cannot_be_opened_is_an_error_that_names_it(tmp_path, name, content, message):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(HoloflowError, match=message):
        VideoOp(path=str(path)).start()


def test_a_file_without_video_is_an_error(tmp_path):
    path = str(tmp_path / "sound.wav")
    with av.open(path, "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        samples = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
        samples.sample_rate = 8000
        container.mux(stream.encode(samples))
    with pytest.raises(HoloflowError, match=r"no video in .*sound\.wav"):
        VideoOp(path=path).start()


@pytest.mark.parametrize("loop", [False, True])
def test_a_file_of_which_nothing_can_be_decoded_is_an_error(clip, tmp_path, running, loop):
    path = damaged(clip, set(range(FRAMES)), tmp_path / "damaged.mp4")
    with pytest.raises(HoloflowError, match="no frame could be decoded"):
        play(running, path=path, loop=loop)


def test_a_clip_is_read_over_http(tmp_path, running):
    make_clip(tmp_path / "clip.mkv")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_arguments):
            pass

    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(Quiet, directory=tmp_path)
    ) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            url = f"http://127.0.0.1:{server.server_port}/clip.mkv"
            assert len(play(running, path=url)[0]) == FRAMES
            with pytest.raises(HoloflowError, match="404"):
                VideoOp(path=f"{url}.none").start()
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("whole", [True, False])
def test_a_chunked_stream_that_breaks_off_is_an_error(clip, tmp_path, running, whole):
    """The server does as it is asked: it closes after its answer, or keeps the connection."""
    with av.open(clip) as source, av.open(str(tmp_path / "clip.ts"), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                target.mux(packet)
    content = (tmp_path / "clip.ts").read_bytes()

    class Chunked(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.send_header("Connection", self.headers["Connection"])
            self.end_headers()
            sent = content if whole else content[: len(content) // 2]
            self.wfile.write(b"%x\r\n%b\r\n" % (len(sent), sent))
            if whole:
                self.wfile.write(b"0\r\n\r\n")
            self.close_connection = True

        def log_message(self, *_arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Chunked) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            url = f"http://127.0.0.1:{server.server_port}/live.ts"
            if whole:
                assert len(play(running, path=url)[0]) == FRAMES
            else:
                with pytest.raises(HoloflowError, match="the connection broke off: http://127"):
                    play(running, path=url)
        finally:
            server.shutdown()
            thread.join()


def test_a_server_that_says_nothing_is_given_up():
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://user:secret@127.0.0.1:{server.getsockname()[1]}/clip.mp4"
        with pytest.raises(HoloflowError, match=r"no data arrived for 0\.2 s from http") as error:
            VideoOp(path=url, timeout="200ms").start()
    assert "secret" not in str(error.value)


def test_stop_without_start_does_nothing(clip):
    VideoOp(path=clip).stop()


@pytest.mark.parametrize("parameters", [{"rate": 0}, {"colour": "yuv"}, {"timeout": "0s"}])
def test_wrong_parameters(parameters):
    with pytest.raises(ParameterError, match=next(iter(parameters))):
        VideoOp(path="clip.mp4", **parameters)


@given(data=st.data())
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_damaged_files_give_frames_or_an_error(data, running, tmp_path_factory):
    folder = tmp_path_factory.mktemp("damaged")
    suffix, codec = data.draw(st.sampled_from([(".mp4", "libx264"), (".mkv", "mpeg4")]))
    whole = Path(make_clip(folder / f"whole{suffix}", codec=codec, count=5)).read_bytes()
    path = folder / f"damaged{suffix}"
    path.write_bytes(damaged_bytes(data, whole))
    with suppress(HoloflowError):
        play(running, 10, path=str(path))


def test_a_title_that_is_no_unicode_is_no_hindrance(tmp_path, running):
    path = tmp_path / "clip.mkv"
    with av.open(str(path), "w") as container:
        container.metadata["title"] = "Mueller"
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height = WIDTH, HEIGHT
        frame = av.VideoFrame.from_ndarray(next(pictures()), "rgb24")
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    path.write_bytes(path.read_bytes().replace(b"Mueller", b"M\xfcller."))
    assert len(play(running, path=str(path))[0]) == 1


@pytest.mark.parametrize(
    ("suffix", "codec", "layout", "bits"),
    [
        (".mkv", "ffv1", "gbrp16le", 16), (".mkv", "ffv1", "gray16le", 16),
        (".mkv", "ffv1", "gbrp10le", 10), (".mkv", "ffv1", "bgra", 8), (".mkv", "ffv1", "gray", 8),
        (".nut", "rawvideo", "gray16be", 16), (".nut", "rawvideo", "rgb48be", 16),
        (".avi", "rawvideo", "bgr24", 8), (".mov", "png", "rgb48be", 16),
        (".mov", "qtrle", "argb", 8), (".apng", "apng", "rgba", 8), (".gif", "gif", "gray", 8),
    ],
)  # fmt: skip
def test_any_depth_order_and_transparency_comes_in_eight_bits(
    tmp_path, running, suffix, codec, layout, bits
):
    path = str(tmp_path / f"clip{suffix}")
    shown = [picture // 85 * 85 for picture in pictures(4)]
    if "gray" in layout:
        shown = [np.repeat(picture[..., :1], 3, axis=2) for picture in shown]
    with av.open(path, "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, layout
        for picture in shown:
            frame = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format=layout)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    frames, seen = play(running, path=path)
    assert len(frames) == 4
    assert seen.drops == 0
    for frame, picture in zip(frames, shown, strict=True):
        assert np.abs(frame.payload.data.astype(int) - picture).max() <= (0 if bits == 8 else 1)


def test_a_recording_that_begins_late_is_whole(moving, tmp_path, running, caplog):
    path = str(tmp_path / "late.mkv")
    with av.open(moving) as source, av.open(path, "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                packet.pts += int(100 / packet.time_base)
                packet.dts += int(100 / packet.time_base)
                target.mux(packet)
    assert len(play(running, path=path)[0]) == 60
    assert caplog.text == ""


def test_what_an_edit_list_cuts_off_is_not_shown(moving, tmp_path, running, caplog):
    """The first frames are only there because the next ones are made of them."""
    path = str(tmp_path / "edited.mp4")
    with av.open(moving) as source, av.open(path, "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                cut = int(Fraction(5, 25) / packet.time_base)
                packet.pts -= cut
                packet.dts -= cut
                target.mux(packet)
    whole = [frame.payload.data for frame in play(running, path=moving)[0]]
    frames, seen = play(running, path=path)
    np.testing.assert_array_equal([frame.payload.data for frame in frames], whole[5:])
    assert [frame.elapsed // 40_000_000 for frame in frames] == list(range(55))
    assert seen.drops == 0
    assert caplog.text == ""


def test_frames_at_uneven_times_come_at_them(tmp_path, running):
    """Made of earlier and of later ones, at a rate that changes."""
    path = str(tmp_path / "uneven.mp4")
    random = np.random.default_rng(0)
    times = np.cumsum([0, *random.integers(1, 200, 39)]).tolist()
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"g": "15"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.max_b_frames = 3
        stream.codec_context.time_base = Fraction(1, 1000)
        for time, picture in zip(times, pictures(40), strict=True):
            frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with av.open(path) as container:
        expected = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    frames, seen = play(running, path=path)
    np.testing.assert_array_equal([frame.payload.data for frame in frames], expected)
    assert [round(frame.elapsed / 1e6) for frame in frames] == times
    assert seen.drops == 0


@pytest.mark.parametrize(
    ("suffix", "codec", "layout", "options"),
    [
        (".webm", "libvpx-vp9", "yuva420p", {"lossless": "1"}),
        (".mkv", "libx264", "yuv444p10le", {"qp": "0"}),
    ],
)
def test_codecs_without_loss_give_the_pictures_that_went_in(
    tmp_path, running, suffix, codec, layout, options
):
    path = str(tmp_path / f"clip{suffix}")
    with av.open(path, "w") as container:
        stream = container.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, layout
        given = [
            av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format=layout)
            for picture in pictures(4)
        ]
        for frame in given:
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    frames, seen = play(running, path=path)
    assert seen.drops == 0
    for frame, picture in zip(frames, given, strict=True):
        expected = picture.reformat(format=layout.replace("yuva", "yuv")).to_ndarray(format="rgb24")
        assert np.abs(frame.payload.data.astype(int) - expected).max() <= 1
