"""What reports show and books do not hold themselves: rates, utilisation, depths, drops.

Each is None where nothing was measured.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from holoflow.cli import text
from holoflow.flow.books import FlowBooks, OperatorBooks, Snapshot, WorkerBooks
from holoflow.flow.histogram import Histogram

FEW = 10
"""Frames of which no rate is told."""
SHORT = 0.9
"""Share of the rate asked for from which on that is given."""


def seconds_of(snapshot: Snapshot, fragment: str) -> float:
    """Return how long `fragment` has run; where that is unknown, how long the run has."""
    return max((b.seconds for b in snapshot.fragments if b.name == fragment), default=0.0) or (
        snapshot.seconds
    )


def _share(part: float | None, whole: float) -> float | None:
    return part / whole if part is not None and whole > 0 else None


def rate_in(snapshot: Snapshot, books: OperatorBooks) -> float | None:
    """Return the calls of an operator per second; of a source, the frames that it sent."""
    return _share(books.frames, seconds_of(snapshot, books.fragment))


def rate_out(snapshot: Snapshot, books: OperatorBooks) -> float | None:
    """Return the messages that an operator sent per second."""
    return _share(books.sent, seconds_of(snapshot, books.fragment))


def asked(books: OperatorBooks) -> float | None:
    """Return the frames per second that a source was asked for."""
    return _share(books.frames, books.own_time)


def falls_short(books: OperatorBooks) -> bool:
    """Whether a source gave noticeably less than it was asked for."""
    return books.calls >= FEW and books.own_time < SHORT * books.given_time


def utilisation(snapshot: Snapshot, books: OperatorBooks | WorkerBooks) -> float | None:
    """Return the share of the time in which an operator or a worker was at work.

    A call counts when it ends, so that one which began earlier may take more than a short time has.
    """
    measured = isinstance(books, WorkerBooks) or timed(books)
    share = _share(books.busy, seconds_of(snapshot, books.fragment)) if measured else None
    return None if share is None else min(share, 1.0)


def timed(books: OperatorBooks) -> bool:
    """Whether it is known how long the calls of an operator took."""
    return bool(books.working.count or books.busy)


def mean_depth(snapshot: Snapshot, books: FlowBooks) -> float | None:
    """Return how many messages waited in a flow's queue on average: Little's law."""
    return _share(books.waits.total, snapshot.seconds) if books.waits.count else None


def share_lost(books: FlowBooks) -> float | None:
    """Return the share of a flow's messages that was dropped."""
    return _share(books.lost, books.sent)


def sources(snapshot: Snapshot) -> list[OperatorBooks]:
    """Return the operators that no flow feeds, counted or not."""
    return [books for books in snapshot.operators if books.source]


def source_frames(snapshot: Snapshot) -> int | None:
    """Return the frames that all sources have sent; None where those of none are counted."""
    counts = [books.frames for books in sources(snapshot)]
    counted = [count for count in counts if count is not None]
    return sum(counted) if counted or not counts else None


def source_rate(snapshot: Snapshot) -> float | None:
    """Return the frames per second of all sources; None where those of none are counted."""
    rates = [rate_in(snapshot, books) for books in sources(snapshot)]
    counted = [rate for rate in rates if rate is not None]
    return sum(counted) if counted or not rates else None


def total_dropped(snapshot: Snapshot) -> Counter[str]:
    """Return everything lost, by cause."""
    total = Counter[str]()
    books: Iterable[OperatorBooks | FlowBooks] = (*snapshot.operators, *snapshot.flows)
    for item in books:
        total.update({cause: count for cause, count in item.dropped.items() if count})
    return total


def statistic(times: Histogram, name: str) -> str:
    """Return a statistic of `times`, such as `p99`, in milliseconds.

    It is `-` where there are no times, or no such statistic.
    """
    try:
        return text.measured(times.statistic(name)) if times.count else "-"
    except (KeyError, ValueError):
        return "-"
