"""What the wire format costs: encoding and decoding, and what compression buys.

    python benchmarks/wire.py [--repeats 7]

Times are the best of the repeats, for one message in one thread. The images and signals are made
up: smooth shapes with the noise of a sensor. Real ones differ, above all in how they compress.
"""

from __future__ import annotations

import argparse
import timeit
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from holoflow.core.message import Header
from holoflow.core.objects import Boxes, PointCloud, Pose, Quaternion
from holoflow.core.pictures import Image
from holoflow.core.samples import Signal
from holoflow.link.wire import Decoded, Decoder, Encoder, Encoding
from holoflow.stats.spans import PathTree, TraceContext, extend

HEADER = Header(5, 123_456_789_012_345, "camera")

NOISE = np.random.default_rng(0)
ROWS, COLUMNS = np.mgrid[:1080, :1920]


def colours() -> Image:
    """Return 1080p RGB: waves, and noise of 1.5 of 255."""
    waves = [np.sin(ROWS / a) + np.cos(COLUMNS / b) for a, b in ((90, 70), (150, 110), (60, 200))]
    pixels = 127 + 55 * np.stack(waves, -1) + NOISE.normal(0, 1.5, (1080, 1920, 3))
    return Image(np.clip(pixels, 0, 255).astype(np.uint8))


def depth() -> Image:
    """Return 1080p uint16: a slope with waves, in mm, and noise of 3 mm."""
    slope = 2000 + 500 * np.sin(COLUMNS / 300) + ROWS
    return Image((slope + NOISE.normal(0, 3, slope.shape)).astype(np.uint16), "gray")


def signal() -> Signal:
    """Return 500,000 samples of two channels of float32: random walks."""
    return Signal(np.cumsum(NOISE.normal(0, 0.01, (500_000, 2)), 0).astype(np.float32), 1000.0)


def cloud() -> PointCloud:
    """Return 120,000 points without any order."""
    return PointCloud(NOISE.normal(0, 20, (120_000, 3)).astype(np.float32))


def way() -> TraceContext:
    """Return the trace context of one path of three spans."""
    now = 123_456_789_012_345
    tree = PathTree()
    trace = tree.begin("camera", now, now)
    for name in ("detect", "screen"):
        trace = extend(trace, tree.step("work", name, "image"), now, now + 900_000)
    return trace


def decode_first(head: bytes, buffers: Sequence[Any]) -> Decoded:
    """Decode the first message of a flow."""
    return Decoder().decode(head, buffers)


def best(call: Callable[[], Any], repeats: int) -> float:
    """Return the seconds of the fastest call."""
    timer = timeit.Timer(call)
    number, _ = timer.autorange()
    return min(timer.repeat(repeats, number)) / number


def heads(repeats: int) -> Table:
    """Measure messages whose arrays are not touched."""
    table = Table(title="Not compressed")
    for title in ("message", "head, B", "encode, µs", "decode, µs", "first of its kind, µs"):
        table.add_column(title, justify="left" if title == "message" else "right")
    names = tuple(f"class {number}" for number in range(80))
    boxes = Boxes(np.zeros((5, 4), "f4"), np.zeros(5, "f4"), np.zeros(5, "i8"), names)
    image = colours()
    for name, payload, trace in (
        ("image, no trace", image, ()),
        ("image, one path of 3 spans", image, way()),
        ("5 boxes, 80 names", boxes, ()),
        ("pose", Pose(np.zeros(3), Quaternion(np.eye(4)[0])), ()),
    ):
        encode, decode = Encoder().encode, Decoder().decode
        head, buffers = encode(payload, HEADER, trace)
        table.add_row(
            name,
            str(len(head)),
            f"{best(partial(encode, payload, HEADER, trace), repeats) * 1e6:.1f}",
            f"{best(partial(decode, head, buffers), repeats) * 1e6:.1f}",
            f"{best(partial(decode_first, head, buffers), repeats) * 1e6:.1f}",
        )
    return table


def packed(repeats: int) -> Table:
    """Measure compression."""
    table = Table(title="Compressed")
    for title in ("message", "MB", "by", "smaller by", "encode, ms", "decode, ms"):
        table.add_column(title, justify="left" if title in ("message", "by") else "right")
    for name, payload, encodings in (
        ("1080p RGB", colours(), (Encoding("zstd"), Encoding("jpeg"))),
        ("1080p depth, uint16", depth(), (Encoding("zstd"),)),
        ("signal, float32", signal(), (Encoding("zstd"),)),
        ("point cloud, float32", cloud(), (Encoding("zstd"),)),
    ):
        size = sum(buffer.nbytes for buffer in Encoder().encode(payload, HEADER)[1])
        for encoding in encodings:
            encode, decode = Encoder(encoding).encode, Decoder().decode
            head, buffers = encode(payload, HEADER)
            left = sum(buffer.nbytes for buffer in buffers)
            pack = best(partial(encode, payload, HEADER), repeats)
            unpack = best(partial(decode, head, buffers), repeats)
            table.add_row(
                name, f"{size / 1e6:.1f}", encoding.compress, f"{size / left:.2f}",
                f"{pack * 1e3:.1f}", f"{unpack * 1e3:.1f}",
            )  # fmt: skip
    return table


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description="What the wire format costs.")
    parser.add_argument("--repeats", type=int, default=7)
    repeats = parser.parse_args().repeats
    console = Console()
    console.print(heads(repeats))
    console.print(packed(repeats))


if __name__ == "__main__":
    main()
