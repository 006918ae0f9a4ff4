"""The shared-memory transport: all ends of these links in one process."""

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
from holoflow.link.shared_memory.wakeup import WakeUpSocket, wakeup_path

_LOOK: Final = 0.005
"""Seconds between checks whether what was sent has arrived."""


class SharedMemory:
    """The shared-memory links of one process to others on its host."""

    def __init__(self, fragment: str, folder: Path, run: str) -> None:
        """Link `fragment` with others of `run`, whose private folder is `folder`.

        Raises:
            HoloflowError: There is no shared memory.
        """
        self._fragment = fragment
        self._folder = folder
        self._services: Services | None = Services(folder, run)
        try:
            self._wakeup = WakeUpSocket(folder, fragment)
        except OSError as error:
            kind = ShortageError if is_shortage(error) else HoloflowError
            raise kind(f"no socket in {folder}: {error.strerror}") from None
        self._outlets: list[SharedOutlet] = []
        self._inlets: list[SharedInlet] = []

    def outlet(self, flows: Sequence[LinkedFlow], producer: Producer) -> SharedOutlet:
        """Open the sending end of `flows`, which all leave one output port."""
        outlet = SharedOutlet(flows, producer, self._open(), self._wakeup)
        self._outlets.append(outlet)
        return outlet

    def inlet(self, flow: LinkedFlow, consumer: Consumer) -> SharedInlet:
        """Open the receiving end of `flow`; it joins the sender once this process accepts."""
        inlet = SharedInlet(flow, consumer, self._open(), self._wakeup)
        self._inlets.append(inlet)
        return inlet

    def notifier(self, operator: str) -> Path:
        """Return where senders notify the stage of `operator`, if it has its own notifier."""
        return wakeup_path(self._folder, f"{self._fragment}@{operator}")

    @property
    def refusals(self) -> Mapping[str, int]:
        """No refusals: only processes of the run can access its private folder."""
        return {}

    def accept(self) -> None:
        """Join the senders that are ready; the others are joined by `waits_for`."""
        self._missing()

    def shift(self, flow: LinkedFlow) -> tuple[int, int]:  # noqa: ARG002 - the same for all
        """Return (0, 0): both ends have the same clock."""
        return 0, 0

    def waits_for(self) -> str:
        """Try to join again, and return in words which senders have not opened their ends yet."""
        missing = sorted({inlet.linked.source for inlet in self._missing()})
        return f"shared memory of {', '.join(missing)}" if missing else ""

    def _missing(self) -> list[SharedInlet]:
        return [inlet for inlet in self._inlets if not inlet.join()]

    def drain(self) -> None:
        """Do nothing: on one host the launcher knows which processes have ended."""

    def close(self, patience: float) -> None:
        """Release everything; arrays that are still referenced stay valid."""
        deadline = time.monotonic() + patience
        while not all(o.arrived() for o in self._outlets) and time.monotonic() < deadline:
            time.sleep(_LOOK)
        self._wakeup.close()
        for outlet in self._outlets:
            outlet.suspend()
        for inlet in self._inlets:
            inlet.suspend()
        self._services = None

    def _open(self) -> Services:
        if self._services is None:
            raise HoloflowError("shared memory was closed")
        return self._services
