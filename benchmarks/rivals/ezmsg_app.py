"""The operators of an app that is a line, as ezmsg units: in one process, or as its fragments."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import ezmsg.core as ez

from holoflow.app import load
from holoflow.app.graph import App
from holoflow.core.message import Header
from holoflow.core.operator import Operator
from rivals.by_hand import SECOND, started, when

LARGEST = 1 << 22
"""Bytes that a message may have, where units are in several processes."""


class Settings(ez.Settings):
    """Which operator a unit calls."""

    app: Path
    name: str
    output: Path
    frames: int


def _operator(settings: Settings) -> Operator:
    app = load(settings.app)
    part = replace(app, operators={settings.name: app.operators[settings.name]})
    return started(part, settings.output, 0)[settings.name]


class Source(ez.Unit):
    """Publishes frames."""

    SETTINGS = Settings
    OUTPUT = ez.OutputStream(Any, buf_size=LARGEST)

    async def initialize(self) -> None:
        """Start the operator."""
        self.operator = _operator(self.SETTINGS)

    @ez.publisher(OUTPUT)
    async def publish(self) -> AsyncGenerator[tuple[ez.OutputStream, Any]]:
        """Publish every frame when it is due."""
        begin = time.time_ns()
        frames = self.operator.frames()  # type: ignore[attr-defined]
        for number in range(self.SETTINGS.frames):
            payload, captured = when(next(frames), begin)
            wait = captured - time.time_ns()
            if wait > 0:
                await asyncio.sleep(wait / SECOND)
            yield self.OUTPUT, (Header(number, captured, ""), payload)


class Step(ez.Unit):
    """Publishes what an operator makes of what comes."""

    SETTINGS = Settings
    INPUT = ez.InputStream(Any)
    OUTPUT = ez.OutputStream(Any, buf_size=LARGEST)

    async def initialize(self) -> None:
        """Start the operator."""
        self.operator = _operator(self.SETTINGS)

    @ez.subscriber(INPUT)
    @ez.publisher(OUTPUT)
    async def step(self, message: Any) -> AsyncGenerator[tuple[ez.OutputStream, Any]]:
        """Call the operator."""
        header, payload = message
        yield self.OUTPUT, (header, self.operator.process(payload))  # type: ignore[attr-defined]


class End(ez.Unit):
    """Takes what comes, and ends the run with the last frame."""

    SETTINGS = Settings
    INPUT = ez.InputStream(Any)

    async def initialize(self) -> None:
        """Start the operator."""
        self.operator = _operator(self.SETTINGS)
        self.seen = 0

    @ez.subscriber(INPUT)
    async def take(self, message: Any) -> None:
        """Call the operator."""
        header, payload = message
        inputs = (payload,) if self.operator.ports().header is None else (payload, header)
        self.operator.process(*inputs)  # type: ignore[attr-defined]
        self.seen += 1
        if self.seen == self.SETTINGS.frames:
            self.operator.stop()
            raise ez.NormalTermination


def run(file: Path, output: Path, frames: int) -> None:
    """Run the app in `file`, each of its fragments in a process of its own."""
    app: App = load(file)
    names = list(app.operators)
    kinds = [Source, *(Step for _ in names[2:]), End]
    units = {
        f"UNIT{number}": kind(Settings(app=file, name=name, output=output, frames=frames))
        for number, (name, kind) in enumerate(zip(names, kinds, strict=True))
    }
    line = list(units.values())
    connections = [(a.OUTPUT, b.INPUT) for a, b in pairwise(line)]
    # Units that are not apart share a process.
    apart = (line[0],) if app.fragments else ()
    ez.run(units, connections=connections, process_components=apart)
