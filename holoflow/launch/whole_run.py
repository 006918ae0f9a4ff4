"""What a fragment's process knows of the whole run: asked of the launcher when somebody looks."""

from __future__ import annotations

import threading
from collections.abc import Callable

from holoflow.engine.control import Outcome
from holoflow.launch.channel import Message, OutcomeRequest, RunOutcome, RunState, StateRequest
from holoflow.stats.snapshot import Sample, Snapshot

PATIENCE = 2.0
"""Seconds that the launcher has to answer."""


class LauncherView:
    """The whole run as its launcher sees it; nothing is sent unless somebody asks."""

    def __init__(self, send: Callable[[Message], None]) -> None:
        """Ask with `send`; answers arrive in `note`."""
        self._send = send
        self._state: RunState | None = None
        self._outcome: RunOutcome | None = None
        self._asked = False
        """Whether an answer is on its way."""
        self._news = threading.Condition()

    def note(self, answer: RunState | RunOutcome) -> None:
        """Take in an answer of the launcher."""
        with self._news:
            if isinstance(answer, RunOutcome):
                self._outcome = answer
            else:
                self._state, self._asked = answer, False
            self._news.notify_all()

    def snapshot(self) -> Snapshot | None:
        """Return the newest known state of the run, and ask for the next; None at first."""
        with self._news:
            if not self._asked:
                self._asked = True
                self._send(StateRequest())
            return None if self._state is None else self._state.snapshot

    def history(self) -> tuple[Sample, ...]:
        """Return the curves of the run so far; none if the launcher does not answer."""
        with self._news:
            before = self._state
            self._send(StateRequest(curves=True))
            self._news.wait_for(
                lambda: self._state is not before and bool(self._state and self._state.history),
                PATIENCE,
            )
            return () if self._state is None else self._state.history

    def outcome(self) -> tuple[Outcome, str] | None:
        """Return how the run has ended and what failed; None if that cannot be known yet."""
        with self._news:
            self._send(OutcomeRequest())
            self._news.wait_for(lambda: self._outcome is not None, PATIENCE)
            return None if self._outcome is None else (self._outcome.outcome, self._outcome.failure)
