"""The applications of this folder as they are written by hand: `python by_hand.py NAME`."""

# ruff: noqa: I001
from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import holoflow  # noqa: F401 - first: it has Holoscan's libraries found
import idioms
import shapes
from holoscan.conditions import (
    AsynchronousCondition,
    BooleanCondition,
    CountCondition,
    PeriodicCondition,
)
from holoscan.core import Application
from holoscan.operators import PingTensorTxOp, VideoStreamReplayerOp
from holoscan.resources import UnboundedAllocator

HERE = Path(__file__).parent


class ByHand(Application):
    """One of them."""

    def __init__(self, name: str, directory: str) -> None:
        self.directory = directory
        self.write = getattr(self, name)
        super().__init__([sys.executable])

    def compose(self) -> None:
        """Compose the application that was asked for."""
        self.write()

    def make(self, cls: Any, name: str, *args: Any, **keywords: Any) -> Any:
        """Make an operator; a number among `args` is how often it is called."""
        given = [CountCondition(self, a) if isinstance(a, int) else a for a in args]
        return cls(self, *given, name=name, **keywords)

    def ports(self) -> None:
        """Several ports, a parameter, and one port that takes all."""
        pair = self.make(idioms.PairOp, "pair", 4)
        scale = self.make(idioms.ScaleOp, "scale", factor=3)
        gather = self.make(idioms.GatherOp, "gather")
        self.add_flow(pair, scale, {("first", "first"), ("second", "second")})
        self.add_flow(scale, gather, {("first_scaled", "receivers")})
        self.add_flow(scale, gather, {("second_scaled", "receivers")})

    def receivers(self) -> None:
        """Any number of operators into a port, in three ways."""
        pair, count = self.make(idioms.PairOp, "pair", 3), self.make(idioms.CountOp, "count", 3)
        for cls, name in ((idioms.GatherOp, "gather"), (idioms.OldGatherOp, "old")):
            gather = self.make(cls, name)
            self.add_flow(count, gather, {("out", "receivers")})
            self.add_flow(pair, gather, {("second", "receivers")})
            self.add_flow(pair, gather, {("first", "receivers")})
        preceding = self.make(idioms.PrecedingOp, "preceding")
        self.add_flow(count, preceding, {("out", "in")})
        self.add_flow(pair, preceding, {("first", "in")})

    def conditions(self) -> None:
        """Periods, counts, and enough messages at several ports together."""
        pause = PeriodicCondition(self, timedelta(milliseconds=5))
        left = self.make(idioms.CountOp, "left", pause, 6)
        right = self.make(idioms.CountOp, "right", 3)
        enough = self.make(idioms.EnoughOp, "enough")
        self.add_flow(left, enough, {("out", "left")})
        self.add_flow(right, enough, {("out", "right")})

    def branches(self) -> None:
        """One operator feeds two branches; metadata go along."""
        count = self.make(idioms.CountOp, "count", 3)
        add = self.make(idioms.AddOp, "add", amount=10)
        self.add_flow(count, add)
        self.add_flow(add, self.make(idioms.NotesOp, "far"))
        self.add_flow(count, self.make(idioms.NotesOp, "near"))

    def execution(self) -> None:
        """Operators without ports, in an order that one of them chooses."""
        first, step = self.make(idioms.StepOp, "first"), self.make(idioms.StepOp, "step")
        again, done = self.make(idioms.StepOp, "again"), self.make(idioms.StepOp, "done")
        self.add_flow(self.start_op(), first)
        self.add_flow(first, step)
        self.add_flow(step, again)
        self.add_flow(step, done)
        self.add_flow(again, step)
        self.set_dynamic_flows(step, idioms.three_rounds)

    def choice(self) -> None:
        """Messages go where their sender decides."""
        count = self.make(idioms.CountOp, "count", 5)
        self.add_flow(count, self.make(idioms.SayOp, "odd"))
        self.add_flow(count, self.make(idioms.SayOp, "even"))
        self.set_dynamic_flows(count, idioms.by_parity)

    def tensors(self) -> None:
        """Arrays of Python and tensors of C++, with an allocator that two operators share."""
        pool = UnboundedAllocator(self, name="pool")
        tensors = self.make(idioms.TensorsOp, "tensors", 2)
        double = self.make(idioms.DoubleTensorsOp, "double")
        self.add_flow(tensors, double)
        self.add_flow(double, self.make(idioms.SayTensorsOp, "sums"))
        for name, rows in (("small", 2), ("large", 5)):
            ping = self.make(PingTensorTxOp, name, 2, allocator=pool, rows=rows, columns=3)
            shapes = self.make(idioms.SayTensorsOp, f"{name}_shapes", sums=False)
            self.add_flow(ping, shapes)

    def replayed(self) -> None:
        """A recording."""
        where = {"directory": self.directory, "basename": "clip"}
        replayer = self.make(
            VideoStreamReplayerOp, "replayer", BooleanCondition(self), realtime=False,
            allocator=UnboundedAllocator(self, name="pool"), **where,
        )  # fmt: skip
        self.add_flow(replayer, self.make(idioms.SayTensorsOp, "sums"))

    def arguments(self) -> None:
        """Paths, enumerations, mappings and functions."""
        layers = [{"name": "", "type": "color"}, {"name": "boxes", "type": "rectangles"}]
        gauge = self.make(
            idioms.GaugeOp, "gauge", 1, table=HERE / "table.txt", unit=idioms.Unit.FEET,
            layers=layers, adjust=idioms.half,
        )  # fmt: skip
        self.add_operator(gauge)

    def functions(self) -> None:
        """Functions that `create_op` makes operators."""
        squares = idioms.squares(self, name="squares", until=4)
        negative = idioms.negative(self, name="negative", offset=100)
        self.add_flow(squares, negative)
        total = idioms.Total(start=1000)(self, name="total")
        self.add_flow(negative, total)
        self.add_flow(total, idioms.say_number(self, name="say_number"))

    def mailbox(self) -> None:
        """What comes from a thread, through a resource and a condition that are shared."""
        arrived = AsynchronousCondition(self, name="arrived")
        mailbox = shapes.Mailbox(self, arrived, name="mailbox")
        postman = self.make(shapes.PostmanOp, "postman", mailbox=mailbox, condition=arrived)
        self.add_flow(postman, self.make(idioms.SayOp, "show"))

    def studies(self) -> None:
        """Objects, ports that need not be connected, ports that are made of arguments."""
        load = self.make(shapes.LoadOp, "load", 1, folder=HERE / "clinic", output="found")
        select = self.make(shapes.SelectOp, "select")
        self.add_flow(load, select)
        self.add_flow(load, self.make(shapes.SelectOp, "unheard"))
        ports = {"takes": ["image", "label"], "gives": ["report"]}
        bundle = self.make(shapes.BundleOp, "bundle", **ports)
        self.add_flow(select, bundle, {("selected", "image"), ("selected", "label")})
        self.add_flow(bundle, self.make(shapes.WriteOp, "write"), {("report", "text")})

    def messages(self) -> None:
        """Bytes, text of C++, and a message with one tensor replaced."""
        file = self.make(shapes.ZipOp, "zip", 2)
        unzip, pixelate = self.make(shapes.UnzipOp, "unzip"), self.make(shapes.PixelateOp, "pixel")
        self.add_flow(file, unzip, {("file", "file")})
        self.add_flow(unzip, self.make(idioms.SayOp, "names"))
        self.add_flow(file, pixelate, {("frame", "in")})
        self.add_flow(pixelate, self.make(shapes.SumsOp, "sums"))

    def either(self) -> None:
        """One of two inputs is enough."""
        either = self.make(shapes.EitherOp, "either")
        for port, count in (("left", 5), ("right", 3)):
            self.add_flow(self.make(shapes.NumberOp, port, count), either, {("out", port)})

    def batches(self) -> None:
        """Several messages, or fewer after a time."""
        pause = PeriodicCondition(self, timedelta(milliseconds=5))
        number = self.make(shapes.NumberOp, "number", pause, 9)
        self.add_flow(number, self.make(shapes.BatchOp, "batch"))
        self.add_flow(number, self.make(shapes.PatientOp, "patient"))

    def own(self) -> None:
        """A condition and a resource in Python."""
        enough = shapes.Enough(self, name="enough", port="in")
        word = shapes.Word(self, name="word", text="hello")
        number = self.make(shapes.NumberOp, "number", 3)
        self.add_flow(number, self.make(shapes.WordOp, "word", enough, word))


if __name__ == "__main__":
    ByHand(*sys.argv[1:]).run()
