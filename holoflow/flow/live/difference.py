"""What a run has done from one snapshot to a later one: the inverse of `merge`."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from holoflow.flow.books import (
    FlowBooks,
    FragmentBooks,
    OperatorBooks,
    PathBooks,
    Snapshot,
    Step,
    Waiting,
    WorkerBooks,
)
from holoflow.flow.histogram import Histogram

T = TypeVar("T")


def difference(now: Snapshot, before: Snapshot) -> Snapshot:
    """Return the books of the time from `before` to `now`, both of one run.

    Counts, times and `seconds` are those of that time alone, and only paths that frames have
    gone in it are there. Messages waiting, budgets, announcements and shares sampled over the
    whole run are those of `now`. Whatever counts from the beginning again, because its process
    was started again, is taken as a whole.
    """
    operators = _by(before.operators, lambda books: books.name)
    flows = _by(before.flows, lambda books: books.name)
    paths = _by(before.paths, _way)
    workers = _by(before.workers, lambda books: (books.fragment, books.name))
    fragments = _by(before.fragments, _process)
    gone = (_path(books, paths.get(_way(books))) for books in now.paths)
    return replace(
        now,
        seconds=max(now.seconds - before.seconds, 0.0),
        operators=tuple(_operator(books, operators.get(books.name)) for books in now.operators),
        flows=tuple(_flow(books, flows.get(books.name)) for books in now.flows),
        paths=tuple(
            sorted((b for b in gone if b.frames), key=lambda books: -books.end_to_end.mean)
        ),
        workers=tuple(
            _worker(books, workers.get((books.fragment, books.name))) for books in now.workers
        ),
        fragments=tuple(
            _fragment(books, fragments.get(_process(books))) for books in now.fragments
        ),
    )


def subtract(now: Histogram, before: Histogram) -> Histogram:
    """Return what `now` has more than `before`; all of it where it does not hold `before`.

    Count and mean are exact. The extremes are where they lie in this time; otherwise, like the
    percentiles, right to 1%.
    """
    if not before.count:
        return now
    new, old = now.to_plain(), before.to_plain()
    bins = dict(new["bins"])
    for key, number in old["bins"]:
        bins[key] = bins.get(key, 0) - number
    zeros, count = new["zeros"] - old["zeros"], now.count - before.count
    if zeros < 0 or min(bins.values(), default=0) < 0:
        return now
    if not count:
        return Histogram()
    mean = max((now.total - before.total) / count, 0.0)
    between = (mean - before.mean) ** 2 * before.count * count / now.count
    made = Histogram.from_plain(
        {
            "count": count, "mean": mean, "m2": max(now.m2 - before.m2 - between, 0.0),
            "min": now.min, "max": now.max, "zeros": zeros,
            "bins": sorted((key, number) for key, number in bins.items() if number),
        }
    )  # fmt: skip
    held = list(made.bins())
    made.min = now.min if now.min < before.min else min(max(_middle(held[0]), now.min), now.max)
    made.max = now.max if now.max > before.max else min(max(_middle(held[-1]), made.min), now.max)
    return made


def _middle(bin_: tuple[float, float, int]) -> float:
    """Return what differs least from all values of a bin."""
    above, up_to, _ = bin_
    return 2 * above * up_to / (above + up_to) if up_to else 0.0


def _by(items: Sequence[T], key: Callable[[T], Hashable]) -> dict[Hashable, T]:
    return {key(item): item for item in items}


def _way(path: PathBooks) -> Hashable:
    return tuple((step.kind, step.operator, step.port) for step in path.steps)


def _process(fragment: FragmentBooks) -> Hashable:
    return fragment.name, fragment.host, fragment.pid


def _counts(now: Mapping[str, int], before: Mapping[str, int]) -> dict[str, int]:
    return {name: count - before.get(name, 0) for name, count in now.items()}


def _less(now: int | None, before: int | None) -> int | None:
    return None if now is None else now - (before or 0)


def _operator(now: OperatorBooks, before: OperatorBooks | None) -> OperatorBooks:
    if before is None or now.calls < before.calls:
        return now
    return replace(
        now,
        frames=_less(now.frames, before.frames),
        sent=_less(now.sent, before.sent),
        skipped=now.skipped - before.skipped,
        busy=max(now.busy - before.busy, 0.0),
        dropped=_counts(now.dropped, before.dropped),
        working=subtract(now.working, before.working),
        waits=subtract(now.waits, before.waits),
        waiting=Waiting(
            partner=max(now.waiting.partner - before.waiting.partner, 0.0),
            turn=max(now.waiting.turn - before.waiting.turn, 0.0),
            room=max(now.waiting.room - before.waiting.room, 0.0),
            worker=max(now.waiting.worker - before.waiting.worker, 0.0),
        ),
        latency=subtract(now.latency, before.latency),
        jitter=subtract(now.jitter, before.jitter),
        held=max(now.held - before.held, 0.0),
        paced=max(now.paced - before.paced, 0.0),
        own_time=max(now.own_time - before.own_time, 0.0),
        given_time=max(now.given_time - before.given_time, 0.0),
    )


def _flow(now: FlowBooks, before: FlowBooks | None) -> FlowBooks:
    if before is None or now.sent < before.sent or now.delivered < before.delivered:
        return now
    return replace(
        now,
        sent=now.sent - before.sent,
        delivered=now.delivered - before.delivered,
        dropped=_counts(now.dropped, before.dropped),
        waits=subtract(now.waits, before.waits),
        ages=subtract(now.ages, before.ages),
    )


def _path(now: PathBooks, before: PathBooks | None) -> PathBooks:
    if before is None or now.frames < before.frames or now.critical < before.critical:
        return now
    return replace(
        now,
        steps=tuple(
            _step(new, now.frames, old, before.frames)
            for new, old in zip(now.steps, before.steps, strict=True)
        ),
        critical=now.critical - before.critical,
        end_to_end=subtract(now.end_to_end, before.end_to_end),
        working=subtract(now.working, before.working),
        waiting=subtract(now.waiting, before.waiting),
        link=subtract(now.link, before.link),
        serialising=subtract(now.serialising, before.serialising),
        jitter=subtract(now.jitter, before.jitter),
    )


def _step(now: Step, frames: int, before: Step, frames_before: int) -> Step:
    count = max(frames - frames_before, 1)
    return replace(
        now,
        waiting=max(now.waiting * frames - before.waiting * frames_before, 0.0) / count,
        taking=max(now.taking * frames - before.taking * frames_before, 0.0) / count,
    )


def _worker(now: WorkerBooks, before: WorkerBooks | None) -> WorkerBooks:
    if before is None or now.busy < before.busy:
        return now
    return replace(now, busy=now.busy - before.busy)


def _fragment(now: FragmentBooks, before: FragmentBooks | None) -> FragmentBooks:
    if before is None or now.seconds < before.seconds:
        return now
    cpu = max(now.machine.cpu - before.machine.cpu, 0.0)
    return replace(now, seconds=now.seconds - before.seconds, machine=replace(now.machine, cpu=cpu))
