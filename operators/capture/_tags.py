"""What a picture's tags say of how it is to be shown: those of TIFF, and of EXIF, which is TIFF."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from holoflow.core.array import Array

_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
_SHORT = 3
_PHOTOMETRIC, _ORIENTATION = 262, 274
_LAB = {8: "CIELAB", 9: "ICCLAB", 10: "ITULAB"}
_EXIF = (b"eXIf", b"EXIF")
"""What EXIF data stand behind in PNG and in WebP."""
_TURNED, _MIRRORED = b"\0\0\0\x09irot", b"\0\0\0\x09imir"
_HEAD = 1 << 16
"""Bytes at whose begin an AVIF file says how it is to be shown."""


def refused(content: Array) -> str | None:
    """Return why a file is not shown, which OpenCV would show wrong; None where it is right."""
    for tags in _directories(content.data):
        if tags.get(_PHOTOMETRIC) in _LAB:
            return f"colours in {_LAB[tags[_PHOTOMETRIC]]} are not read"
    head = content[:_HEAD].tobytes()
    if head[4:8] == b"ftyp":
        _, turned, angle = head.partition(_TURNED)
        if (turned and angle[:1] != b"\0") or _MIRRORED in head:
            return "an AVIF file that is to be turned is not read"
    return None


def orientation_of_animation(content: Array) -> int:
    """Return how the frames of a PNG or WebP file are to be turned, by EXIF's number; 1: not."""
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
    """Yield the tags of one short number of each directory; of what is no TIFF, nothing."""
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
    except struct.error:  # it is cut short
        return
