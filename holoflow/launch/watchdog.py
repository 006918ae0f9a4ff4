"""Judges whether a process is well, and puts into words what is wrong with it."""

from __future__ import annotations

import signal
from dataclasses import dataclass

from holoflow.app.graph import Fragment
from holoflow.flow import hangs
from holoflow.flow.books import FragmentBooks

FIRST_WORD = 30.0
"""Seconds that a new process gets at least until it is heard of: Python starts, and imports."""


@dataclass(frozen=True)
class Sample:
    """What is known of a process at one moment."""

    silent: float
    """Seconds since it was last heard of."""
    new: bool = False
    """Whether it has never been heard of."""
    books: FragmentBooks | None = None
    """What it says of itself; None before it does, and once its run has ended."""
    memory: int | None = None
    """Bytes of its own; None where they are not bounded."""
    ending: bool = False
    """Whether its sources are to end."""


def judge(sample: Sample, fragment: Fragment) -> str | None:
    """Return why a process of `fragment` must be killed; None where it is well."""
    patience = max(fragment.hang, FIRST_WORD) if sample.new else fragment.hang
    if sample.silent > patience:
        return f"it hangs: nothing was heard of it for {sample.silent:.1f} s"
    books = sample.books
    if books is not None and books.call_for > hangs.patience(
        fragment.hang, books.call_usual, ending=sample.ending
    ):
        at_work = hangs.at_work(books.call, books.call_frame)
        return f"it hangs: {at_work} for {books.call_for:.1f} s"
    if fragment.memory is not None and (sample.memory or 0) > fragment.memory:
        used, limit = (sample.memory or 0) / 1e6, fragment.memory / 1e6
        return f"it uses {used:,.0f} MB of memory, where it may use {limit:,.0f} MB"
    return None


def ended_how(status: int) -> str:
    """Return how a process ended, in words; `status` is negative for a signal."""
    if status >= 0:
        return f"its process ended with exit status {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    return f"its process was killed by {name}"
