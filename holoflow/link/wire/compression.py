"""Compression of the buffers of a message: none, zstd, or JPEG for images."""

from __future__ import annotations

import functools
import threading
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from holoflow.app.format import Compression
from holoflow.app.graph import Flow
from holoflow.core.errors import optional
from holoflow.core.pictures import Image
from holoflow.link.wire.types import WireError, flat

RAW: Final = "raw"
ZSTD: Final = "zstd"
SHUFFLED: Final = "zstd-shuffled"
JPEG: Final = "jpeg-"
"""Prefix of a codec; the colour order of the pixels follows."""

LEVEL: Final = 1
"""Level of zstd: a link must be fast."""

_COLOURS = {"gray": 1, "rgb": 3, "bgr": 3, "rgba": 4, "bgra": 4}
_LONGEST_SIDE = 65_500
_SMALLEST_WINDOW = 1024

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Encoding:
    """How the messages of a flow are compressed."""

    compress: Compression = Flow.compress
    quality: int = Flow.quality
    """Quality of JPEG, 1 to 100."""


class _Zstd(threading.local):
    """The zstd contexts of a thread: making one takes 10 µs, and it serves one call at a time."""

    def __init__(self) -> None:
        self.library = optional("zstandard", "zeromq")
        self.compressor = self.library.ZstdCompressor(level=LEVEL)
        self.decompressor = self.library.ZstdDecompressor()


@functools.cache
def _contexts() -> _Zstd:
    return _Zstd()


def require(compress: Compression) -> None:
    """Check that the libraries for `compress` are installed.

    Raises:
        MissingExtraError: One of them is not.
    """
    if compress != "none":
        optional("zstandard", "zeromq")
    if compress == "jpeg":
        optional("simplejpeg", "web")


def pack(data: Bytes, dtype: np.dtype[Any]) -> tuple[str, memoryview]:
    """Return codec and content of a buffer, compressed by zstd if that makes it smaller.

    If a number of `dtype` has several bytes, all first bytes precede all second ones and so on: the
    high bytes of a signal resemble one another, while the low ones are noise.

    Args:
        data: The buffer, uint8 of shape (n,), contiguous.
        dtype: The type of its numbers.
    """
    codec = ZSTD
    source = data
    if width(dtype) > 1:
        codec = SHUFFLED
        source = np.ascontiguousarray(data.reshape(-1, width(dtype)).T)
    packed = _contexts().compressor.compress(source)
    return (codec, memoryview(packed)) if len(packed) < data.nbytes else (RAW, data.data)


def pack_image(image: Image, pixels: npt.NDArray[Any], quality: int) -> tuple[str, memoryview]:
    """Return codec and content of an image as JPEG, or as zstd if JPEG cannot represent it.

    JPEG can represent uint8 in gray, RGB and BGR, and a fourth channel only if it is 255
    everywhere, as JPEG has no transparency.

    Args:
        image: The image, whose `colour` gives the order of the channels.
        pixels: Its pixels in main memory.
        quality: Quality of JPEG, 1 to 100.
    """
    channels = _COLOURS.get(image.colour)
    if (
        channels is None
        or pixels.dtype != np.uint8
        or max(pixels.shape[:2]) > _LONGEST_SIDE
        or (channels == 4 and not (pixels[..., 3] == 255).all())
    ):
        return pack(flat(pixels), pixels.dtype)
    packed = optional("simplejpeg", "web").encode_jpeg(
        np.ascontiguousarray(pixels).reshape(*pixels.shape[:2], channels),
        quality=quality,
        colorspace=image.colour.upper(),
        colorsubsampling="Gray" if channels == 1 else "420",
    )
    if len(packed) >= pixels.nbytes:
        return RAW, flat(pixels).data
    return JPEG + image.colour, memoryview(packed)


def width(dtype: np.dtype[Any]) -> int:
    """Return the bytes of one number of `dtype`; a complex number counts as two."""
    return dtype.itemsize // 2 if dtype.kind == "c" else dtype.itemsize


def unpack(codec: str, data: memoryview, size: int, dtype: np.dtype[Any], shape: list[int]) -> Any:
    """Return the content of a compressed buffer.

    Nothing is allocated before `data` itself states that it holds `size` bytes.

    Args:
        codec: How the buffer is compressed; not trusted.
        data: The compressed bytes; not trusted.
        size: Bytes of the content.
        dtype: The type of its numbers.
        shape: The shape of the array.

    Raises:
        WireError: `data` are not `size` bytes compressed by `codec`.
    """
    if codec == ZSTD:
        return _decompress(data, size)
    if codec == SHUFFLED:
        return _unshuffled(np.frombuffer(_decompress(data, size), np.uint8), width(dtype))
    if codec.startswith(JPEG) and dtype == np.uint8:
        return _picture(codec[len(JPEG) :], data, size, shape)
    raise WireError(f"a buffer has an unknown codec: {codec[:40]!r}")


def _decompress(data: memoryview, size: int) -> bytes:
    zstd = _contexts()
    try:
        frame = zstd.library.get_frame_parameters(data)
        if frame.content_size != size:
            raise WireError(f"a zstd frame does not state a size of {size} bytes")
        if frame.window_size > max(size, _SMALLEST_WINDOW):
            raise WireError("a zstd frame requires more memory than it has bytes")
        content: bytes = zstd.decompressor.decompress(
            data, max_output_size=size, allow_extra_data=False
        )
    except zstd.library.ZstdError as error:
        raise WireError(f"a buffer is not a zstd frame: {error}") from None
    if len(content) != size:
        raise WireError(f"a zstd frame has {len(content)} bytes, but its head states {size}")
    return content


def _unshuffled(data: Bytes, width: int) -> Bytes:
    numbers = np.empty((data.size // width, width), np.uint8)
    for place, plane in enumerate(data.reshape(width, -1)):  # much faster than transposing
        numbers[:, place] = plane
    return numbers


def _picture(colour: str, data: memoryview, size: int, shape: list[int]) -> Bytes:
    channels = _COLOURS.get(colour, 0)
    if not channels or shape[2:] != ([] if channels == 1 else [channels]):
        raise WireError(f"a JPEG does not fit an array of shape {shape}")
    library = optional("simplejpeg", "web")
    try:
        height, width, *_ = library.decode_jpeg_header(data)
        if [height, width] != shape[:2]:
            raise WireError(
                f"a JPEG has {height} rows of {width} pixels, but its head states {shape[:2]}"
            )
        pixels: Bytes = library.decode_jpeg(data, colorspace=colour.upper())
    except ValueError as error:
        raise WireError(f"a buffer is not a JPEG: {error}") from None
    if pixels.nbytes != size:
        raise WireError(f"a JPEG has {pixels.nbytes} bytes, but its head states {size}")
    return pixels
