"""Decoding the pictures in the bytes of an image file, and orienting them by TIFF and EXIF tags."""

from __future__ import annotations

import functools
import re
import struct
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from holoflow.core.array import Array
from holoflow.core.errors import optional
from holoflow.operators.capture._recording import NEITHER, upright

_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
_SHORT = 3
_PHOTOMETRIC, _ORIENTATION = 262, 274
_LAB = {8: "CIELAB", 9: "ICCLAB", 10: "ITULAB"}
_EXIF = (b"eXIf", b"EXIF")
"""Start of EXIF data in PNG and in WebP."""
_TURNED, _MIRRORED = b"\0\0\0\x09irot", b"\0\0\0\x09imir"
_HEAD = 1 << 16
"""Bytes at whose start an AVIF file says how it is to be oriented."""


def refused(content: Array) -> str | None:
    """Return why a file is refused, which OpenCV would decode wrongly; None if it is not."""
    for tags in _directories(content.data):
        if tags.get(_PHOTOMETRIC) in _LAB:
            return f"colours in {_LAB[tags[_PHOTOMETRIC]]} are not read"
    head = content[:_HEAD].tobytes()
    if head[4:8] == b"ftyp":
        _, turned, angle = head.partition(_TURNED)
        if (turned and angle[:1] != b"\0") or _MIRRORED in head:
            return "AVIF files that must be turned are not read"
    return None


def orientation_of_animation(content: Array) -> int:
    """Return the EXIF orientation of the frames of a PNG or WebP file; 1 means upright."""
    data = content.tobytes()
    for name in _EXIF:
        behind = data.find(name) + len(name)
        begin = min(
            (at for order in _ORDERS if (at := data.find(order, behind, behind + 16)) >= 0),
            default=None,
        )
        if behind >= len(name) and begin is not None:
            for tags in _directories(memoryview(data)[begin:]):
                return tags.get(_ORIENTATION, 1)
    return 1


def _directories(data: memoryview) -> Iterator[dict[int, int]]:
    """Yield the tags with one short number of each directory; nothing if `data` is not TIFF."""
    order = _ORDERS.get(bytes(data[:4]))
    if order is None:
        return
    seen: set[int] = set()
    try:
        (at,) = struct.unpack_from(f"{order}I", data, 4)
        while at and at not in seen:
            seen.add(at)
            (count,) = struct.unpack_from(f"{order}H", data, at)
            entries = [
                struct.unpack_from(f"{order}HHIH", data, at + 2 + 12 * index)
                for index in range(count)
            ]
            yield {tag: value for tag, kind, many, value in entries if (kind, many) == (_SHORT, 1)}
            (at,) = struct.unpack_from(f"{order}I", data, at + 2 + 12 * count)
    except struct.error:  # it is truncated
        return


_PNM = re.compile(rb"P([2356])(?:\s|#[^\n]*\n)+\d+(?:\s|#[^\n]*\n)+\d+(?:\s|#[^\n]*\n)+(\d{1,5})\s")
"""Start of a PGM or PPM file: its kind, and the value of white."""
_ASCII = (b"2", b"3")
_TEXT = re.compile(rb"P[123]\s")
"""Start of a PBM, PGM or PPM file in text form."""
_MATRICES = {
    2: (-1, 0, 0, 1), 3: (-1, 0, 0, -1), 4: (1, 0, 0, -1), 5: (0, 1, 1, 0),
    6: (0, 1, -1, 0), 7: (0, -1, -1, 0), 8: (0, -1, 1, 0),
}  # fmt: skip
"""OpenCV operations that make pictures upright, by EXIF orientation."""
_WITHOUT_ALPHA = {"rgb": "BGRA2RGB", "bgr": "BGRA2BGR", "gray": "BGRA2GRAY"}
_OF_COLOUR = {"rgb": "BGR2RGB", "gray": "BGR2GRAY"}
_OF_GRAY = {"rgb": "GRAY2RGB", "bgr": "GRAY2BGR"}
_ANIMATED = (b"\x89PNG", b"RIFF")
_MORE_BEHIND = b"MPF\0"
"""Marker of a JPEG file that is followed by further ones."""


def pictures(content: Array, colour: str) -> list[Array]:
    """Return the upright pictures of a file, (height, width), or (height, width, 3) in rgb or bgr.

    These are all pages and frames in order; for JPEG, only the first picture. The dtype is that of
    the file, and transparency is dropped. The list is empty if OpenCV cannot decode the bytes, or
    not all of them.
    """
    cv2 = _opencv()
    if _TEXT.match(content[:3].tobytes()):
        content = np.append(content, np.uint8(ord("\n")))  # else the last number is not read
    kind = cv2.IMREAD_GRAYSCALE if colour == "gray" else cv2.IMREAD_COLOR
    found = _decoded(cv2, content, kind | cv2.IMREAD_ANYDEPTH)
    if found:
        rgb = colour == "rgb"
        found = [cv2.cvtColor(one, cv2.COLOR_BGR2RGB) if rgb else one for one in found]
    else:  # OpenCV does not convert pixels of more than 16 bits while it reads them
        found = [_converted(cv2, one, colour) for one in _decoded(cv2, content, -1)]
    if len(found) > 1 and content[:4].tobytes() in _ANIMATED:  # OpenCV orients single ones itself
        matrix = _MATRICES.get(orientation_of_animation(content), NEITHER)
        found = [np.ascontiguousarray(upright(one, matrix)) for one in found]
    header = _PNM.match(content[:1024].tobytes())
    if header is None:
        return found
    return [_to_full_scale(one, header[1], int(header[2])) for one in found]


def has_more(content: Array) -> bool:
    """Whether the file contains further pictures that `pictures` does not return."""
    return _MORE_BEHIND in content[: 1 << 16].tobytes()


@functools.cache
def _opencv() -> Any:
    cv2 = optional("cv2", "vision")
    cv2.utils.logging.setLogLevel(0)  # OpenCV prints errors; here each is reported once
    return cv2


def _decoded(cv2: Any, content: Array, flags: int) -> Sequence[Array]:
    try:
        whole, found = cv2.imdecodemulti(content, flags) if content.size else (False, ())
    except cv2.error:
        return ()
    return found if whole else ()


def _converted(cv2: Any, pixels: Array, colour: str) -> Array:
    if pixels.dtype == np.float64:
        pixels = pixels.astype(np.float32)
    if pixels.ndim == 2:
        code = _OF_GRAY.get(colour)
    else:
        code = (_WITHOUT_ALPHA if pixels.shape[2] == 4 else _OF_COLOUR).get(colour)
    return pixels if code is None else cv2.cvtColor(pixels, getattr(cv2, f"COLOR_{code}"))


def _to_full_scale(pixels: Array, kind: bytes, white: int) -> Array:
    """Return pixels scaled from `white` to the full scale of their dtype."""
    full = np.iinfo(pixels.dtype).max
    if white in (0, full) or (full == 255 and kind in _ASCII):  # which OpenCV does itself
        return pixels
    return np.rint(np.minimum(pixels, white) * (full / white)).astype(pixels.dtype)
