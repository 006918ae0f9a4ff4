"""Operators without state: those that are heavy have copies in threads, others in processes."""

from __future__ import annotations

import logging
import os
import random
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from typing_extensions import NotRequired, TypedDict

from holoflow import Arrays, Header, Image, Operator, Stamped, param

TEST_RANDOM = random.Random(7)


class Meet(Operator):
    """Returns what comes once `size` calls go on at once; keeps the interpreter's lock."""

    stateless: ClassVar[bool] = True
    folder: str = param(doc="where calls leave files")
    size: int = param(doc="calls")

    def process(self, x: Any) -> Any:
        group = Path(self.folder, str(x // self.size))
        group.mkdir(exist_ok=True)
        (group / str(x)).touch()
        while len(os.listdir(group)) < self.size:
            pass
        return x


class HeavyMeet(Meet):
    """The same in threads."""

    heavy: ClassVar[bool] = True


class Dawdle(Operator):
    """Takes its time, now more, now less, sends three of four on, and fails where it is told to."""

    stateless: ClassVar[bool] = True
    fail_at: int = param(-1, doc="payload that raises")

    def process(self, x: Any) -> Any:
        time.sleep(0.002 * TEST_RANDOM.random())
        if x == self.fail_at:
            raise ValueError("not this one")
        return None if x % 4 == 3 else x


class HeavyDawdle(Dawdle):
    """The same in threads."""

    heavy: ClassVar[bool] = True


class Die(Operator):
    """Kills its process at 7."""

    stateless: ClassVar[bool] = True

    def process(self, x: Any) -> Any:
        if x == 7:
            os.kill(os.getpid(), signal.SIGKILL)
        return x


class Stay(Operator):
    """Does not return from 7."""

    stateless: ClassVar[bool] = True

    def process(self, x: Any) -> Any:
        while x == 7:
            signal.pause()
        return x


class Refuse(Operator):
    """Cannot start."""

    stateless: ClassVar[bool] = True

    def start(self) -> None:
        raise RuntimeError("no such thing")

    def process(self, x: Any) -> Any:
        return x


@dataclass(frozen=True)
class Where:
    """A payload of an app's own."""

    process: int
    image: Image


class Parts(TypedDict):
    """What a `Take` gives."""

    where: NotRequired[Where]
    arrays: NotRequired[Arrays]


class Pictures(Operator):
    """Gives pictures, each in the colour of its number."""

    n: int = param(10, doc="frames")

    def frames(self) -> Iterator[Image]:
        for number in range(self.n):
            yield Image(np.full((64, 48, 3), number, np.uint8))


class Take(Operator):
    """Gives what it gets in a class of its own, and of even frames arrays, one of them loaned."""

    stateless: ClassVar[bool] = True

    def process(self, image: Image, header: Header) -> Stamped[Parts]:
        large = self.allocate((100, 100), np.float32)
        large[:] = header.sequence
        parts: Parts = {"where": Where(os.getpid(), image)}
        if header.sequence % 2 == 0:
            parts["arrays"] = Arrays({"large": large, "small": large[:2, :2].copy()})
        return Stamped(parts, timestamp=header.sequence, metadata={"seen": header.sequence})


class Tell(Operator):
    """Tells in all ways there are."""

    stateless: ClassVar[bool] = True
    use: str = param("", doc="part of the context that is used")

    def process(self, x: Any) -> Any:
        context = self.context
        context.log.info("at %d", x)
        logging.getLogger("holoflow.elsewhere").warning("%s", "100%")
        context.warn_once("only %s", "once")
        context.announce("page", f"of {x}")
        context.count_drop("device", 2)
        if self.use:
            getattr(context, self.use)()
        return context.threads
