"""Compressed buffers: smaller, the same again, and nothing that swells beyond what it says."""

from __future__ import annotations

import tracemalloc
from typing import Any

import msgpack
import numpy as np
import pytest
import simplejpeg
import zstandard
from support.wire_heads import decode, encode, head, split
from support.wire_payloads import same

from holoflow.core.errors import MissingExtraError
from holoflow.core.message import Header
from holoflow.core.pictures import Image
from holoflow.core.samples import Signal
from holoflow.link.wire import (
    Encoding,
    Types,
    WireError,
    compression,
    require,
)

TYPES = Types.of([])
HEADER = Header(0, 1, "camera")
ROWS, COLUMNS = np.mgrid[:240, :320]
SMOOTH = (60 + 40 * np.sin(ROWS / 40) + 40 * np.cos(COLUMNS / 60)).astype(np.uint8)


def packed(payload: Any, encoding: Encoding) -> tuple[Any, list[memoryview]]:
    """Return what a head says of a payload, and the buffers."""
    message, buffers = encode(payload, HEADER, (), encoding)
    return msgpack.unpackb(split(message)[2]), buffers


def test_zstd_makes_what_repeats_smaller() -> None:
    (_, dtype, shape, codec), buffers = packed(SMOOTH, Encoding("zstd"))
    assert (dtype, shape, codec) == ("|u1", [240, 320], "zstd")
    assert buffers[0].nbytes < SMOOTH.nbytes / 2


def test_numbers_of_several_bytes_are_shuffled_and_pack_better() -> None:
    signal = np.cumsum(np.random.default_rng(0).normal(size=(5000, 2)), 0).astype("f4")
    (_, _, _, codec), buffers = packed(signal, Encoding("zstd"))
    assert codec == "zstd-shuffled"
    plain = zstandard.ZstdCompressor(level=compression.LEVEL).compress(signal.tobytes())
    assert buffers[0].nbytes < 0.9 * len(plain)
    first_bytes = signal.reshape(-1).view(np.uint8)[::4]
    unpacked = np.frombuffer(zstandard.ZstdDecompressor().decompress(buffers[0]), np.uint8)
    np.testing.assert_array_equal(unpacked[: signal.size], first_bytes)


@pytest.mark.parametrize("dtype", ["u1", "f8"])
def test_what_does_not_get_smaller_goes_as_it_is(dtype: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, 8000, np.uint8).view(dtype)
    (_, _, _, codec), buffers = packed(noise, Encoding("zstd"))
    assert codec == "raw"
    assert np.shares_memory(np.frombuffer(buffers[0], np.uint8), noise)


def test_jpeg_is_close_to_the_image_and_small() -> None:
    colours = np.stack([SMOOTH, SMOOTH[::-1], SMOOTH[:, ::-1]], -1)
    opaque = np.concatenate([colours, np.full_like(SMOOTH, 255)[..., None]], -1)
    for pixels, colour in (
        (SMOOTH, "gray"), (colours, "rgb"), (colours, "bgr"), (opaque, "rgba"), (opaque, "bgra"),
        (colours[::2, ::2], "rgb"),
    ):  # fmt: skip
        image = Image(pixels, colour)  # type: ignore[arg-type]
        said, buffers = packed(image, Encoding("jpeg", 90))
        assert said[2]["data"][3] == f"jpeg-{colour}"
        assert buffers[0].nbytes < pixels.nbytes / 4
        came = decode(*encode(image, HEADER, (), Encoding("jpeg")), TYPES).payload
        assert came.colour == colour
        assert came.data.shape == pixels.shape
        assert not came.data.flags.writeable
        assert np.abs(came.data.astype(int) - pixels).mean() < 6


def test_quality_is_taken() -> None:
    image = Image(SMOOTH, "gray")
    sizes = [packed(image, Encoding("jpeg", quality))[1][0].nbytes for quality in (20, 60, 95)]
    assert sizes == sorted(set(sizes))


@pytest.mark.parametrize(
    "payload",
    [
        Image(np.stack([SMOOTH] * 4, -1), "rgba"),  # a transparency that JPEG would lose
        Image(np.stack([SMOOTH] * 3, -1), "hsv"),
        Image(np.stack([SMOOTH] * 3, -1).astype("f4"), "rgb"),
        Image(SMOOTH.astype("u2"), "gray"),
        Image(np.zeros((1, 70_000), "u1"), "gray"),
        Signal(np.zeros((1000, 1)), 10.0),
        SMOOTH,
    ],
)  # fmt: skip
def test_what_jpeg_does_not_do_for_goes_by_zstd_without_loss(payload: Any) -> None:
    said, _ = packed(payload, Encoding("jpeg"))
    assert "zstd" in str(said)
    came = decode(*encode(payload, HEADER, (), Encoding("jpeg")), TYPES).payload
    assert same(came, payload)


def test_images_within_other_values_are_packed_too() -> None:
    said, buffers = packed({"a": [Image(SMOOTH, "gray")], "b": SMOOTH}, Encoding("jpeg"))
    assert said["a"][1][2]["data"][3] == "jpeg-gray"
    assert said["b"][3] == "zstd"
    assert len(buffers) == 2


def test_a_noisy_or_a_tiny_image_goes_as_it_is() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (24, 24), np.uint8)
    assert packed(Image(noise, "gray"), Encoding("jpeg", 100))[0][2]["data"][3] == "raw"
    assert packed(Image(noise[:8], "gray"), Encoding("jpeg"))[1] == []


ZEROS = bytes(100_000)


def frame(data: bytes, **parameters: Any) -> bytes:
    return zstandard.ZstdCompressor(level=1, **parameters).compress(data)


def stream(data: bytes) -> bytes:
    """A frame that does not state its size."""
    packer = zstandard.ZstdCompressor(level=1).compressobj()
    return packer.compress(data) + packer.flush()


JPEG = simplejpeg.encode_jpeg(SMOOTH[..., None], colorspace="GRAY", colorsubsampling="Gray")
DISTORTED = JPEG[:300] + bytes(50) + JPEG[350:]


@pytest.mark.parametrize(
    ("codec", "dtype", "shape", "buffer", "words"),
    [
        ("zstd", "|u1", [99_999], frame(ZEROS), "does not state a size of 99999 bytes"),
        ("zstd", "|u1", [100_001], frame(ZEROS), "does not state a size of 100001 bytes"),
        ("zstd-shuffled", "<f8", [12_501], frame(ZEROS), "does not state"),
        ("zstd", "|u1", [100_000], stream(ZEROS), "does not state"),
        ("zstd", "|u1", [100_000], frame(ZEROS)[:-1], "not a zstd frame"),
        ("zstd", "|u1", [100_000], frame(ZEROS) + b"x", "not a zstd frame"),
        ("zstd", "|u1", [100_000], frame(ZEROS) * 2, "not a zstd frame"),
        ("zstd", "|u1", [100_000], ZEROS, "not a zstd frame"),
        ("zstd", "|u1", [100_000], b"", "not a zstd frame"),
        ("jpeg-gray", "|u1", [240, 321], JPEG, "a JPEG has 240 rows of 320 pixels"),
        ("jpeg-gray", "|u1", [76800], JPEG, "a JPEG has"),
        ("jpeg-rgb", "|u1", [240, 320], JPEG, "does not fit an array of shape"),
        ("jpeg-gray", "|u1", [240, 320, 1], JPEG, "does not fit an array of shape"),
        ("jpeg-rgba", "|u1", [240, 320, 3], JPEG, "does not fit an array of shape"),
        ("jpeg-pink", "|u1", [240, 320], JPEG, "does not fit an array of shape"),
        ("jpeg-gray", "|i1", [240, 320], JPEG, "unknown codec"),
        ("jpeg-gray", "|u1", [240, 320], JPEG[:100], "not a JPEG"),
        ("jpeg-gray", "|u1", [240, 320], b"", "not a JPEG"),
        ("jpeg-gray", "|u1", [240, 320], DISTORTED, "not a JPEG"),
    ],
)  # fmt: skip
def test_packed_data_that_are_not_what_the_head_says_are_refused(
    codec: str, dtype: str, shape: list[int], buffer: bytes, words: str
) -> None:
    with pytest.raises(WireError, match=words):
        decode(head(["array", dtype, shape, codec]), [buffer], TYPES)


def test_a_bomb_is_refused_before_memory_is_taken() -> None:
    packer = zstandard.ZstdCompressor(level=1).compressobj(size=1 << 30)
    bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(64))  # it says 1 GiB
    tracemalloc.start()
    try:
        for shape in ([1 << 26], [4, 1 << 30]):
            refused = r"does not state a size of|more than 2147483648 bytes"
            with pytest.raises(WireError, match=refused):
                decode(head(["array", "|u1", shape, "zstd"]), [bomb], TYPES)
        assert tracemalloc.get_traced_memory()[1] < 1 << 24
    finally:
        tracemalloc.stop()


def test_a_frame_that_wants_a_large_window_is_refused() -> None:
    data = frame(ZEROS)
    assert data[4] == 0xA0  # one segment: the window is what the frame has
    wide = data[:4] + bytes([0x80, (27 - 10) << 3]) + data[5:]
    assert zstandard.get_frame_parameters(wide).content_size == len(ZEROS)
    assert zstandard.get_frame_parameters(wide).window_size == 1 << 27
    with pytest.raises(WireError, match="requires more memory"):
        decode(head(["array", "|u1", [len(ZEROS)], "zstd"]), [wide], TYPES)


def test_libraries_that_are_missing_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    require("none")
    require("zstd")
    require("jpeg")

    def missing(module: str, extra: str) -> Any:
        raise MissingExtraError(module, extra)

    monkeypatch.setattr(compression, "optional", missing)
    require("none")
    with pytest.raises(MissingExtraError, match=r"holoflow\[zeromq\]"):
        require("zstd")
