"""Holoscan operators in the shapes that others give theirs: ports, conditions and resources.

They are those of the SDK's later examples and of HoloHub's operators in Python, each in a few
lines; what an operator says is printed in a line of its own that begins with its name.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from holoscan.conditions import AsynchronousCondition, AsynchronousEventState
from holoscan.core import (
    Condition,
    ConditionType,
    IOSpec,
    Operator,
    Resource,
    SchedulingStatusType,
)


def say(name: str, *what: Any) -> None:
    """Print one line."""
    print("|", name, *what, flush=True)


class NumberOp(Operator):
    """Sends 1, 2, 3, …, whether there is room or not, and when it got each."""

    def setup(self, spec: Any) -> None:
        self.last = 0
        spec.output("out").condition(ConditionType.NONE)

    def compute(self, _op_input: Any, op_output: Any, _context: Any) -> None:
        self.last += 1
        op_output.emit(self.last, "out", acq_timestamp=self.last * 1000)


# -- what comes from a thread: clients of services


class Mailbox(Resource):
    """Letters, and the condition under which they are fetched."""

    def __init__(
        self, fragment: Any, condition: AsynchronousCondition, *args: Any, **keywords: Any
    ) -> None:
        super().__init__(fragment, *args, **keywords)
        self.condition = condition
        self.letters: deque[str] = deque()

    def put(self, letter: str) -> None:
        self.letters.append(letter)
        self.condition.event_state = AsynchronousEventState.EVENT_DONE


class PostmanOp(Operator):
    """Sends the letters that a thread puts into its mailbox; the condition is its own to add."""

    def __init__(
        self, fragment: Any, mailbox: Mailbox, condition: AsynchronousCondition,
        *args: Any, **keywords: Any,
    ) -> None:  # fmt: skip
        self.mailbox, self.condition = mailbox, condition
        super().__init__(fragment, *args, **keywords)

    def initialize(self) -> None:
        self.add_arg(self.condition)
        Operator.initialize(self)

    def setup(self, spec: Any) -> None:
        spec.output("out")

    def start(self) -> None:
        self.condition.event_state = AsynchronousEventState.EVENT_WAITING
        self.thread = threading.Thread(target=self.write)
        self.thread.start()

    def write(self) -> None:
        for letter in "abcd":
            self.mailbox.put(letter)

    def stop(self) -> None:
        self.thread.join()

    def compute(self, _op_input: Any, op_output: Any, _context: Any) -> None:
        self.condition.event_state = AsynchronousEventState.EVENT_WAITING
        if self.mailbox.letters:
            letter = self.mailbox.letters.popleft()
            op_output.emit(letter, "out")
            if letter == "d":
                self.stop_execution()
        if self.mailbox.letters:
            self.condition.event_state = AsynchronousEventState.EVENT_DONE


# -- objects, optional ports, ports that are made of arguments: medical imaging


@dataclass
class Study:
    """What a folder holds."""

    name: str
    slices: list[np.ndarray]


class LoadOp(Operator):
    """Sends the studies of a folder, that of its argument unless it is told another."""

    def __init__(
        self, fragment: Any, *args: Any, folder: Path, output: str = "studies", **keywords: Any
    ) -> None:
        self.folder, self.output = folder, output
        super().__init__(fragment, *args, **keywords)

    def setup(self, spec: Any) -> None:
        spec.input("folder").condition(ConditionType.NONE)
        spec.output(self.output)

    def compute(self, op_input: Any, op_output: Any, _context: Any) -> None:
        folder = op_input.receive("folder") or self.folder
        op_output.emit([Study(Path(folder).name, [np.ones((2, 2))])], self.output)


class SelectOp(Operator):
    """Sends the first study; nobody has to take it."""

    def setup(self, spec: Any) -> None:
        spec.input("studies")
        spec.output("selected").condition(ConditionType.NONE)

    def compute(self, op_input: Any, op_output: Any, _context: Any) -> None:
        op_output.emit(op_input.receive("studies")[0], "selected")


class BundleOp(Operator):
    """Has the ports that its arguments name."""

    def __init__(
        self, fragment: Any, *args: Any, takes: list[str], gives: list[str], **keywords: Any
    ) -> None:
        self.takes, self.gives = takes, gives
        super().__init__(fragment, *args, **keywords)

    def setup(self, spec: Any) -> None:
        for port in self.takes:
            spec.input(port)
        for port in self.gives:
            spec.output(port)

    def compute(self, op_input: Any, op_output: Any, _context: Any) -> None:
        got = {port: op_input.receive(port) for port in self.takes}
        for port in self.gives:
            said = ", ".join(f"{name} {study.name}" for name, study in got.items())
            op_output.emit(f"{port} of {said}", port)


class WriteOp(Operator):
    """Says a text, and the study that it may belong to."""

    def setup(self, spec: Any) -> None:
        spec.input("text")
        spec.input("study").condition(ConditionType.NONE)

    def compute(self, op_input: Any, _op_output: Any, _context: Any) -> None:
        say(self.name, op_input.receive("text"), op_input.receive("study"))


# -- what is sent: bytes, text of C++, a message with one tensor replaced


class ZipOp(Operator):
    """Sends bytes, and an image with boxes."""

    def setup(self, spec: Any) -> None:
        spec.output("file")
        spec.output("frame")

    def compute(self, _op_input: Any, op_output: Any, _context: Any) -> None:
        op_output.emit(b"a:b", "file")
        image = np.arange(16, dtype=np.uint8).reshape(4, 4)
        op_output.emit({"image": image, "boxes": np.ones(4, np.float32)}, "frame")


class UnzipOp(Operator):
    """Sends text as C++ has it."""

    def setup(self, spec: Any) -> None:
        spec.input("file")
        spec.output("names")

    def compute(self, op_input: Any, op_output: Any, _context: Any) -> None:
        op_output.emit(op_input.receive("file").decode() + ":c", "names", "std::string")


class PixelateOp(Operator):
    """Replaces the image in a copy of the message."""

    def setup(self, spec: Any) -> None:
        spec.input("in")
        spec.output("out")

    def compute(self, op_input: Any, op_output: Any, _context: Any) -> None:
        message = op_input.receive("in")
        coarse = np.asarray(message["image"])[::2, ::2]
        message = message.copy()
        message["image"] = coarse.repeat(2, axis=0).repeat(2, axis=1)
        op_output.emit(message, "out")


class SumsOp(Operator):
    """Says the sum of every tensor."""

    def setup(self, spec: Any) -> None:
        spec.input("in")

    def compute(self, op_input: Any, _op_output: Any, _context: Any) -> None:
        tensors = op_input.receive("in")
        say(self.name, {name: float(np.asarray(tensors[name]).sum()) for name in sorted(tensors)})


# -- when an operator is called


class EitherOp(Operator):
    """Is called when one of its inputs has something, and says at the end what came."""

    def setup(self, spec: Any) -> None:
        self.got: dict[str, list[int]] = {"left": [], "right": []}
        for port in self.got:
            spec.input(port)
        spec.or_combine_port_conditions(tuple(self.got))

    def compute(self, op_input: Any, _op_output: Any, _context: Any) -> None:
        for port, got in self.got.items():
            value = op_input.receive(port)
            if value is not None:
                got.append(value)

    def stop(self) -> None:
        say(self.name, self.got)


class BatchOp(Operator):
    """Is called for five messages, or for fewer when one has waited; says at the end what came."""

    def setup(self, spec: Any) -> None:
        self.got: list[int] = []
        self.when: list[int | None] = []
        port = spec.input("in").connector(IOSpec.ConnectorType.DOUBLE_BUFFER, capacity=5, policy=1)
        port.condition(
            ConditionType.EXPIRING_MESSAGE_AVAILABLE, max_batch_size=5, max_delay_ns=50_000_000
        )

    def compute(self, op_input: Any, _op_output: Any, _context: Any) -> None:
        while (message := op_input.receive("in")) is not None:
            self.got.append(message)
            self.when.append(op_input.get_acquisition_timestamp("in"))

    def stop(self) -> None:
        say(self.name, self.got, None in self.when)


class PatientOp(Operator):
    """Is called for three messages, or for fewer after ten seconds."""

    def setup(self, spec: Any) -> None:
        self.got: list[int] = []
        spec.input("in", size=IOSpec.IOSize(3)).condition(
            ConditionType.MULTI_MESSAGE_AVAILABLE_TIMEOUT, execution_frequency="10s", min_sum=3
        )

    def compute(self, op_input: Any, _op_output: Any, _context: Any) -> None:
        self.got += op_input.receive("in")

    def stop(self) -> None:
        say(self.name, self.got)


class Enough(Condition):
    """A condition in Python: that a port has received something."""

    def __init__(self, fragment: Any, *args: Any, port: str, **keywords: Any) -> None:
        self.port = port
        self.state, self.changed = SchedulingStatusType.WAIT, 0
        super().__init__(fragment, *args, **keywords)

    def setup(self, _spec: Any) -> None:
        """Declare nothing."""

    def initialize(self) -> None:
        self.queue = self.receiver(self.port)

    def update_state(self, now: int) -> None:
        ready = self.queue.back_size + self.queue.size > 0
        state = SchedulingStatusType.READY if ready else SchedulingStatusType.WAIT
        if state != self.state:
            self.state, self.changed = state, now

    def check(self, _now: int) -> tuple[Any, int]:
        return self.state, self.changed

    def on_execute(self, now: int) -> None:
        self.update_state(now)


class Word(Resource):
    """A resource in Python."""

    def __init__(self, fragment: Any, *args: Any, text: str, **keywords: Any) -> None:
        self.text = text
        super().__init__(fragment, *args, **keywords)

    def setup(self, _spec: Any) -> None:
        """Declare nothing."""


class WordOp(Operator):
    """Says what it receives, the text of its resource, its own status and the class of clock."""

    def setup(self, spec: Any) -> None:
        spec.input("in")

    def compute(self, op_input: Any, _op_output: Any, context: Any) -> None:
        words = [one.text for one in self.resources.values() if isinstance(one, Word)]
        status = context.get_operator_status(self.name).name
        clock = type(self.fragment.scheduler().clock).__name__
        say(self.name, op_input.receive("in"), self.resource("word").text, words, status, clock)
