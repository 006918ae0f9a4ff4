"""Shared memory as a kind of link: all its ends in one process."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from holoflow.core.errors import HoloflowError, ShortageError, is_shortage
from holoflow.link.ends import Consumer, LinkedFlow, Producer
from holoflow.link.shared_memory.receiver import SharedInlet
from holoflow.link.shared_memory.sender import SharedOutlet
from holoflow.link.shared_memory.services import Services
from holoflow.link.shared_memory.wakeup import WakeUpSocket, bell_path

_LOOK: Final = 0.005
"""Seconds between looks whether what was sent has arrived."""


class SharedMemory:
    """The links of one process to others on its host."""

    def __init__(self, fragment: str, folder: Path, run: str) -> None:
        """Link `fragment` with others of `run`, whose private folder is `folder`.

        Raises HoloflowError where there is no shared memory to be had.
        """
        self._fragment = fragment
        self._folder = folder
        self._services: Services | None = Services(folder, run)
        try:
            self._bell = WakeUpSocket(folder, fragment)
        except OSError as error:
            kind = ShortageError if is_shortage(error) else HoloflowError
            raise kind(f"no socket in {folder}: {error.strerror}") from None
        self._outlets: list[SharedOutlet] = []
        self._inlets: list[SharedInlet] = []

    def outlet(self, flows: Sequence[LinkedFlow], producer: Producer) -> SharedOutlet:
        """Make the sending end of `flows`, which all leave one output port."""
        outlet = SharedOutlet(flows, producer, self._open(), self._bell)
        self._outlets.append(outlet)
        return outlet

    def inlet(self, flow: LinkedFlow, consumer: Consumer) -> SharedInlet:
        """Make the receiving end of `flow`; it joins the sender once this process accepts."""
        inlet = SharedInlet(flow, consumer, self._open(), self._bell)
        self._inlets.append(inlet)
        return inlet

    def notifier(self, operator: str) -> Path:
        """Return where senders ring for the stage of `operator`, if it waits by itself."""
        return bell_path(self._folder, f"{self._fragment}@{operator}")

    @property
    def refusals(self) -> Mapping[str, int]:
        """Nobody else reaches the run's private folder."""
        return {}

    def accept(self) -> None:
        """Join the senders that are there; the others once `waits_for` is asked."""
        self._missing()

    def shift(self, flow: LinkedFlow) -> tuple[int, int]:  # noqa: ARG002 - the same for all
        """Both ends have one clock."""
        return 0, 0

    def waits_for(self) -> str:
        """Say which senders have not opened their ends yet, after trying again."""
        missing = sorted({inlet.linked.source for inlet in self._missing()})
        return f"shared memory of {', '.join(missing)}" if missing else ""

    def _missing(self) -> list[SharedInlet]:
        return [inlet for inlet in self._inlets if not inlet.join()]

    def drain(self) -> None:
        """Nobody is away on one host: the launcher says who has ended."""

    def close(self, patience: float) -> None:
        """Let go of everything; arrays that are still looked at stay valid."""
        deadline = time.monotonic() + patience
        while not all(o.arrived() for o in self._outlets) and time.monotonic() < deadline:
            time.sleep(_LOOK)
        self._bell.close()
        for outlet in self._outlets:
            outlet.suspend()
        for inlet in self._inlets:
            inlet.suspend()
        self._services = None

    def _open(self) -> Services:
        if self._services is None:
            raise HoloflowError("shared memory was closed")
        return self._services
