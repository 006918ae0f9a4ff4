"""Holoscan's distributed mode, on the CPU: a driver and two workers; tensors go through UCX."""

from __future__ import annotations

import os
import socket
import time
from contextlib import ExitStack
from typing import Any

import numpy as np

from holoflow.holoscan import runtime
from rivals.frames import Source
from rivals.job import Job
from rivals.meter import Meter

holoscan = runtime.load()
core = holoscan.core

SEGMENT = "200k"
"""Size of UCX's segments over TCP: with its own default, Holoscan's messages corrupt the heap."""


class SendOp(core.Operator):  # type: ignore[name-defined, misc]
    """Emits arrays in turn, each as a tensor that shares its memory."""

    def setup(self, spec: Any) -> None:
        """Declare the output."""
        spec.output("frame")

    def start(self) -> None:
        """Begin."""
        self.source = Source(Job.mine())
        self.frames = self.source.frames()

    def compute(self, _op_input: Any, op_output: Any, _context: Any) -> None:
        """Emit the next array."""
        array = next(self.frames, None)
        if array is None:
            self.stop_execution()
        else:
            op_output.emit({"frame": array}, "frame")


class ReceiveOp(core.Operator):  # type: ignore[name-defined, misc]
    """Takes what comes: views of Holoscan's tensors."""

    def setup(self, spec: Any) -> None:
        """Declare the input."""
        spec.input("frame")

    def start(self) -> None:
        """Begin to measure."""
        self.meter = Meter(Job.mine())

    def compute(self, op_input: Any, _op_output: Any, _context: Any) -> None:
        """Look at the next array."""
        self.meter.saw(np.asarray(op_input.receive("frame")["frame"]))


class Sending(core.Fragment):  # type: ignore[name-defined, misc]
    """The fragment of the sender."""

    def compose(self) -> None:
        """Add the operator."""
        self.add_operator(SendOp(self, name="send"))


class Receiving(core.Fragment):  # type: ignore[name-defined, misc]
    """The fragment of the receiver."""

    def compose(self) -> None:
        """Add the operator."""
        self.add_operator(ReceiveOp(self, name="receive"))


class Frames(core.Application):  # type: ignore[name-defined, misc]
    """Both fragments."""

    def compose(self) -> None:
        """Join them."""
        sending, receiving = Sending(self, name="sending"), Receiving(self, name="receiving")
        self.add_flow(sending, receiving, {("send.frame", "receive.frame")})


def receive(job: Job) -> None:
    """Run the driver and the receiver's worker."""
    driver, worker, data = _free_ports(3)
    part = job.path / "port.part"
    part.write_text(str(driver))
    part.rename(job.path / "port")
    os.environ["HOLOSCAN_UCX_PORTS"] = str(data)
    _run(driver, worker, "--driver", "--worker", "--fragments=receiving")


def send(job: Job) -> None:
    """Run the sender's worker."""
    file = job.path / "port"
    while not file.exists():
        time.sleep(0.01)
    _run(int(file.read_text()), _free_ports(1)[0], "--worker", "--fragments=sending")


def _run(driver: int, worker: int, *arguments: str) -> None:
    os.environ |= {
        "UCX_TCP_TX_SEG_SIZE": SEGMENT,
        "UCX_TCP_RX_SEG_SIZE": SEGMENT,
        "HOLOSCAN_UCX_SOURCE_ADDRESS": "127.0.0.1",
    }
    addresses = f"--address=127.0.0.1:{driver}", f"--worker-address=127.0.0.1:{worker}"
    Frames(["frames", *arguments, *addresses]).run()


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        servers = [
            stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)
        ]
        return [server.getsockname()[1] for server in servers]
