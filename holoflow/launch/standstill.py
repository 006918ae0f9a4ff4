"""Sees that no process of a run can ever go on, and says who waits for what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from holoflow.flow.books import FragmentBooks

LOOKS = 4
"""How often in a row every process must have said so: half a second lies between two times."""


class Standstill:
    """What was seen at the last looks."""

    def __init__(self) -> None:
        """Nothing has been seen."""
        self._moved: Any = None
        self._said: list[FragmentBooks | None] = []
        self._times = 0

    def look(self, said: Sequence[FragmentBooks | None], moved: Any) -> Mapping[str, str]:
        """Return what each stage of the run waits for, where none can ever go on; else nothing.

        `said` is the newest of all processes, None of one that is missing: each must have said
        something new since the last look that counts, so that none which is stopped, or whose
        machine stands still, is taken for one that waits. `moved` differs from that of the last
        look where a message has moved meanwhile.
        """
        still = bool(said) and all(books is not None and books.waits for books in said)
        if not still or moved != self._moved or len(said) != len(self._said):
            self._times, self._moved, self._said = 0, moved, list(said)
            return {}
        if all(now is not before for now, before in zip(said, self._said, strict=True)):
            self._times, self._said = self._times + 1, list(said)
        if self._times < LOOKS:
            return {}
        return {
            stage: what
            for books in said
            if books is not None
            for stage, what in books.waits.items()
        }
