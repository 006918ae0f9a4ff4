"""Fuzz of the wire format's decoder: mutations of valid messages, drawn from a seed.

    python tests/support/fuzz_wire.py 1000000 [SEED]

prints how many inputs were decoded and how many refused. It ends with status 1 and the input in
hex where anything but a message or a WireError comes out, which includes asking for more than
half a gigabyte of memory.
"""

from __future__ import annotations

import random
import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgpack
import numpy as np

from holoflow.core.geometry import Geometry
from holoflow.core.message import Header
from holoflow.core.objects import Boxes, Keypoints, PointCloud, Pose, Quaternion
from holoflow.core.pictures import Image, Mask, Volume
from holoflow.core.samples import Arrays, Signal, Text
from holoflow.link.wire import PREFIX, Decoder, Encoder, Encoding, Types, WireError
from holoflow.stats.spans import PathTree, extend

MEMORY = 512 << 20


@dataclass(frozen=True)
class Track:
    """A dataclass of a user's."""

    name: str
    box: Boxes
    history: tuple[float, ...] = ()


TYPES = Types.of([Track])

Input = tuple[bytes, list[bytes]]


def _payloads() -> Iterator[Any]:
    draw = np.random.default_rng(0)
    smooth = np.add.outer(np.arange(24), np.arange(32)).astype(np.uint8)
    boxes = Boxes(
        draw.random((3, 4)).astype("f4"), draw.random(3), np.arange(3), ("a", "ä"), np.arange(3)
    )
    yield Image(np.stack([smooth] * 3, -1), "bgr")
    yield Image(np.stack([smooth, smooth, smooth, np.full_like(smooth, 255)], -1), "rgba")
    yield Image(smooth, "gray")
    yield Image(smooth, "gray").cropped(1, 2, 5, 9)
    yield boxes
    yield Keypoints(np.zeros((2, 3, 2), "f4"), np.ones((2, 3), "f4"), ("a", "b", "c"), ((0, 1),))
    yield Mask(smooth, ("none", "thing"))
    yield Signal(np.zeros((400, 2), "f4"), 250.0, ("I", "II"), ("mV", "mV"))
    yield Signal(draw.random((100, 1)) * 1j, 1e6)
    yield Volume(np.zeros((4, 10, 10), "i2"), (1.0, 0.5, 0.5))
    yield PointCloud(np.zeros((60, 3), "f4"), np.zeros(60, "f4"))
    yield Pose(np.zeros(3), Quaternion(np.array([1.0, 0, 0, 0])))
    yield Arrays(x=np.zeros(600, "f2"), y=np.zeros((), "?"), geometry=Geometry.of(9, 8, (0.5, 1)))
    yield Text("läuft")
    yield Track("a", boxes, (0.5, 1.5))
    yield {"list": [1, None, True, 2**80], "bytes": bytes(600), "number": np.float32(1.5)}


def corpus() -> list[Input]:
    """Return valid messages: every payload type, packed in every way."""
    tree = PathTree()
    trace = tree.begin("camera", 10**9, 2 * 10**9)
    trace = 2 * extend(trace, tree.step("work", "detect", "image"), 3 * 10**9, 4 * 10**9)
    header = Header(7, 123456789, "camera", {"gain": np.float64(2), "roi": np.arange(4)})
    messages = []
    for payload in _payloads():
        for compress in ("none", "zstd", "jpeg"):
            head, buffers = Encoder(Encoding(compress), TYPES).encode(payload, header, trace)
            messages.append((head, [bytes(buffer) for buffer in buffers]))
    return messages


_MARKS = bytes.fromhex("80 81 8f 90 91 9f a0 a1 bf c0 c1 c2 c3 c4 c5 c6 c7 c8 c9 ca cb cc cf") + (
    bytes.fromhex("d0 d3 d4 d5 d6 d7 d8 d9 da db dc dd de df e0 ff 00 01 7f")
)
_VALUES: list[Any] = [
    None, True, 0, -1, 1, 511, 512, 513, 1 << 31, (1 << 31) + 1, (1 << 63) - 1, (1 << 64) - 1,
    -(1 << 63), 0.5, float("nan"), float("inf"), "", "x", "raw", "zstd", "zstd-shuffled", "jpeg-",
    "jpeg-rgb", "jpeg-gray", "jpeg-rgba", "|u1", "|b1", "<f4", "<c16", ">f4", "|O", "<M8[s]",
    "list", "tuple", "array", "number", "int", "bytes", "object", "Image", "Boxes", "Arrays",
    "Geometry", b"", b"\0", bytes(512), bytes(513), [], {}, [0], [[]], {"": 0}, {"data": 1},
    ["list"],
    ["object"], ["array", "<f4", [2], bytes(8)], ["array", "|u1", [0, 1 << 62], b""],
    ["array", "|u1", [1 << 31], "raw"], ["array", "|u1", [1 << 30], "zstd"], ["bytes", 600, "raw"],
    ["object", "Text", {"text": 5}], ["object", "Quaternion", {"wxyz": 5}], ["number", "<f8", b"1"],
    ["int", b"\xff" * 5000],
]  # fmt: skip


def _bytes(draw: random.Random, data: bytes) -> bytes:
    """Change, add, take away, repeat or cut off some of `data`."""
    changed = bytearray(data)
    for _ in range(draw.choice((1, 1, 2, 5))):
        at = draw.randrange(len(changed) + 1)
        what = draw.randrange(8)
        if what == 7 and draw.random() < 0.3:
            changed[at:at] = b"\x91" * draw.choice((40, 600, 1000, 1100))
        elif what == 0 and at < len(changed):
            changed[at] ^= 1 << draw.randrange(8)
        elif what == 1 and at < len(changed):
            changed[at] = draw.choice(_MARKS)
        elif what == 2:
            changed[at:at] = draw.randbytes(draw.randrange(1, 9))
        elif what == 3:
            del changed[at : at + draw.randrange(1, 9)]
        elif what == 4:
            start = draw.randrange(len(changed) + 1)
            changed[at:at] = changed[start : start + draw.randrange(1, 64)]
        elif what == 5 and draw.random() < 0.3:
            del changed[at:]
        elif at < len(changed):
            changed[at : at + 4] = draw.choice((b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", bytes(4)))
    return bytes(changed)


def _value(draw: random.Random, value: Any) -> Any:
    """Change something in what msgpack has unpacked."""
    children = list(value.items()) if isinstance(value, dict) else []
    if isinstance(value, list):
        children = list(enumerate(value))
    if children and draw.random() < 0.8:
        key, child = draw.choice(children)
        what = draw.randrange(12)
        if what == 0:
            del value[key]
        elif what == 1 and isinstance(value, list):
            value.insert(key, draw.choice(_VALUES))
        elif what == 2:
            value[key], other = draw.choice(children)[1], child
            value[children[0][0]] = other
        else:
            value[key] = _value(draw, child)
        return value
    what = draw.randrange(10)
    if what == 0 and type(value) is int:
        return value + draw.choice((-1, 1))
    if what == 1 and isinstance(value, str):
        return value[: draw.randrange(len(value) + 1)] + draw.choice(("", "é", "x"))
    if what in (2, 3):
        for _ in range(draw.choice((1, 40, 400))):
            value = [value] if what == 2 else ["list", value]
        return value
    return draw.choice(_VALUES)


def _head(draw: random.Random, head: bytes) -> bytes:
    if draw.random() < 0.4:
        return _bytes(draw, head)
    count, size = PREFIX.unpack_from(head)[2:4]
    at = PREFIX.size + 8 * count
    origin, payload = head[at : at + size], head[at + size :]
    try:
        if draw.random() < 0.7:
            payload = msgpack.packb(_value(draw, msgpack.unpackb(payload)))
        else:
            origin = msgpack.packb(_value(draw, msgpack.unpackb(origin)))
    except ValueError:  # too deep to be written, or an integer too large
        return _bytes(draw, head)
    size = len(origin).to_bytes(4, "little")
    return head[:8] + size + head[12:at] + origin + payload


def _buffers(draw: random.Random, buffers: list[bytes]) -> list[bytes]:
    changed = list(buffers)
    what = draw.randrange(6)
    if not changed or what == 0:
        changed.insert(draw.randrange(len(changed) + 1), draw.randbytes(draw.randrange(700)))
    elif what == 1:
        del changed[draw.randrange(len(changed))]
    else:
        at = draw.randrange(len(changed))
        changed[at] = _bytes(draw, changed[at])
    return changed


def inputs(number: int, seed: int) -> Iterator[Input]:
    """Return `number` inputs: valid messages with something wrong in most of them."""
    draw = random.Random(seed)
    messages = corpus()
    for _ in range(number):
        head, buffers = draw.choice(messages)
        what = draw.random()
        if what < 0.02:
            yield draw.randbytes(draw.randrange(200)), buffers
        elif what < 0.7:
            yield _head(draw, head), buffers
        elif what < 0.9:
            yield head, _buffers(draw, buffers)
        else:
            yield _head(draw, head), _buffers(draw, buffers)


_USED = Decoder(TYPES)
"""Has read all inputs before."""


def check(candidate: Input) -> bool:
    """Return whether `candidate` is a message; what is not must be refused by a WireError.

    One who has read others before must find the same as one who has not.
    """
    alone, behind = _taken(Decoder(TYPES), candidate), _taken(_USED, candidate)
    if alone is not behind:
        raise AssertionError(f"alone it is {'' if alone else 'not '}taken, behind others it is")
    return alone


def _taken(decoder: Decoder, candidate: Input) -> bool:
    try:
        decoder.decode(*candidate)
    except WireError:
        return False
    return True


def main() -> int:
    """Run as many inputs as the command line says."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    for one in corpus():  # loads what is loaded late
        assert check(one)
    with open("/proc/self/statm") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
    began = time.monotonic()
    decoded = 0
    for candidate in inputs(number, seed):
        try:
            decoded += check(candidate)
        except BaseException as error:
            head, buffers = candidate
            print(f"{type(error).__name__}: {error!s:.200}", file=sys.stderr)
            print(head.hex(), *(buffer.hex() for buffer in buffers), sep="\n", file=sys.stderr)
            return 1
    print(
        f"{number} inputs of seed {seed}: {decoded} decoded, {number - decoded} refused, "
        f"{time.monotonic() - began:.0f} s"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
