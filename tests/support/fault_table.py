"""Has faults happen at drawn moments, and tells what came of them.

`python -m support.fault_table --times 10` in tests/ prints the table in
docs/measurements/faults.md.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from support.faults import APART, FAULTS, LINKS, Fault
from support.hosts import hosts
from support.numbered import FRAGMENTS, flows, mistakes
from support.trials import Trial, introduce


@dataclass(frozen=True)
class Outcome:
    """What came of a trial."""

    sent: int
    """Frames that the source sent."""
    missing: int
    """Of those, how many did not come to the table."""
    counted: Mapping[str, int]
    """Messages counted as lost, by cause."""
    seconds: float
    """From the wish that it should end, where it has not ended by then, to its end."""
    wrong: tuple[str, ...]
    """What was not as it should have been."""


def attempt(fault: Fault, link: str, seed: int, folder: Path) -> Outcome:
    """Let `fault` happen to an app whose flows `link` carries, on new hosts."""
    names = list(FRAGMENTS) if link == APART else ["host"]
    with hosts(folder, *names) as started:
        if link == APART:
            introduce(*started)
        places = dict(zip(FRAGMENTS, started * (3 // len(started)), strict=True))
        kind = "auto" if link == APART else link
        draw = random.Random(f"{fault.name} {link} {seed}")
        trial = Trial(places, draw, fragments=fault.fragments, link=kind, **fault.app)
        disk = trial.folder("last") / "disk"
        disk.mkdir(parents=True)
        places["last"].run(["mount", "-t", "tmpfs", "-o", "size=32k", "tmpfs", disk])
        trial.start(*FRAGMENTS)
        fault.happen(trial)
        since = time.monotonic()
        status = trial.end()
        seconds = time.monotonic() - since
        wrong = trial.left() + trial.unexpected()
        if status != fault.status:
            wrong.append(f"exit status {status} instead of {fault.status}")
        if fault.says not in trial.log:
            wrong.append(f"says nothing of {fault.says!r}")
        if fault.reports:
            wrong += _compare(fault, trial)
        log = trial.log
    wrong = [f"{one}\n{log}" for one in wrong]
    if not fault.reports:
        return Outcome(0, 0, {}, seconds, tuple(wrong))
    work, last = flows(trial.report("middle"))
    counted = Counter(work.dropped) + Counter(last.dropped)
    missing = work.sent - len(trial.table().frames)
    return Outcome(work.sent, missing, counted, seconds, tuple(wrong))


def _compare(fault: Fault, trial: Trial) -> list[str]:
    """Say where the statistics differ from what has come, or between the hosts of a flow."""
    work, last = flows(trial.report("middle"))
    found = mistakes(
        work, last, trial.table(), in_hand=fault.in_hand, anew=fault.anew, twice=fault.twice,
        uncounted=fault.uncounted,
    )  # fmt: skip
    for fragment, stats in (("first", work), ("last", last)):
        there = {one.name: one for one in trial.report(fragment).flows}[stats.name]
        counts = [(b.sent, b.delivered, dict(b.dropped)) for b in (stats, there)]
        if counts[0] != counts[1]:
            found.append(f"statistics of {stats.name} differ: {counts[0]} and {counts[1]}")
    return found


def row(fault: Fault, link: str, outcomes: Sequence[Outcome]) -> str:
    """Return a row of the table of the documents."""
    counted = sum((Counter(one.counted) for one in outcomes), Counter[str]())
    causes = ", ".join(f"`{cause}` {number}" for cause, number in counted.items()) or "none"
    sent, missing = sum(one.sent for one in outcomes), sum(one.missing for one in outcomes)
    cells = [fault.name, link, fault.does, len(outcomes), sent, missing, causes]
    if not fault.reports:
        cells[4:] = ["", "", "no report"]
    return f"| {' | '.join(map(str, cells))} |"


def main() -> None:
    """Have every fault happen, print what came of it, and say what went wrong."""
    parser = argparse.ArgumentParser(prog="python -m support.fault_table", description=__doc__)
    parser.add_argument("--times", type=int, default=10, help="how often each happens")
    parser.add_argument("--seed", type=int, default=0, help="of the first time")
    parser.add_argument("--link", choices=[*LINKS, APART], action="append")
    parser.add_argument("--only", default="", help="part of the names of faults")
    given = parser.parse_args()
    heads = ["fault", "link", "the app", "times", "frames", "lost", "counted as"]
    print(f"| {' | '.join(heads)} |")
    print("|---" * len(heads) + "|", flush=True)
    for fault in (fault for fault in FAULTS if given.only in fault.name):
        for link in (link for link in fault.links if link in (given.link or fault.links)):
            outcomes = []
            wrong: list[str] = []
            for seed in range(given.seed, given.seed + given.times):
                with tempfile.TemporaryDirectory() as folder:
                    try:
                        outcomes.append(attempt(fault, link, seed, Path(folder)))
                        wrong += [f"seed {seed}: {one}" for one in outcomes[-1].wrong]
                    except Exception as error:
                        wrong.append(f"seed {seed}: {error!r}")
            print(row(fault, link, outcomes), flush=True)
            for one in wrong:
                print(f"{fault.name}, {link}, {one}", flush=True)


if __name__ == "__main__":
    main()
