"""Faults of every kind: how each happens, and what an app does then."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from holoflow.cli.errors import ExitStatus
from support.hosts import PATIENCE
from support.numbered import FRAGMENTS
from support.trials import BACK, EndedError, Trial

LINKS = ("shared_memory", "zeromq")
"""What carries the flows of an app on one host."""
APART = "zeromq, three hosts"
"""Each fragment on a host of its own, with CURVE."""


@dataclass(frozen=True)
class Fault:
    """Something that can go wrong."""

    name: str
    does: str
    """What the app does then, for the reader."""
    happen: Callable[[Trial], None]
    """Makes it happen, and waits until the app has dealt with it."""
    app: Mapping[str, Any] = field(default_factory=dict)
    """How the app is written (`numbered.write_app`)."""
    fragments: Mapping[str, Any] = field(default_factory=lambda: BACK)
    """Keys that all fragments have."""
    status: int = ExitStatus.DONE
    in_hand: int = 0
    """Frames that may be counted as lost although they were passed on."""
    says: str = ""
    """What the app must have told its user."""
    anew: bool = False
    """Whether the source begins to count again."""
    reports: bool = True
    """Whether the app leaves a report."""
    twice: int = 0
    """Frames that may come twice."""
    uncounted: int = 0
    """Frames that may be lost along with the statistics that know of them."""
    links: Sequence[str] = LINKS
    brief: Sequence[str] = ()
    """Those of `links` by which it happens in the tests of every day."""


def _dies(fragment: str) -> Callable[[Trial], None]:
    def happen(trial: Trial) -> None:
        trial.strike()
        before = trial.pid(fragment)
        os.kill(before, signal.SIGKILL)
        _gone(trial, fragment, before)
        trial.go_on()

    return happen


def _stops(fragment: str, seconds: float | None) -> Callable[[Trial], None]:
    """Stop a process as a debugger would, for so many seconds; None for good."""

    def happen(trial: Trial) -> None:
        trial.strike()
        process = trial.pid(fragment)
        os.kill(process, signal.SIGSTOP)
        if seconds is None:
            _gone(trial, fragment, process)
        else:
            time.sleep(seconds)
            os.kill(process, signal.SIGCONT)
        trial.go_on()

    return happen


def _gone(trial: Trial, fragment: str, process: int) -> None:
    host = trial.places[fragment]
    trial.wait(f"the end of {fragment}", lambda: process not in host.processes())


def _does(fragment: str, deed: str) -> Callable[[Trial], None]:
    def happen(trial: Trial) -> None:
        trial.strike()
        trial.tell(fragment, deed)
        trial.go_on()

    return happen


def _ends(happen: Callable[[Trial], None]) -> Callable[[Trial], None]:
    """Turn what an app survives into what it does not."""

    def happens(trial: Trial) -> None:
        try:
            happen(trial)
        except EndedError:
            return
        raise AssertionError(f"the app goes on\n{trial.log}")

    return happens


def _comes_to(frames: int) -> Callable[[Trial], None]:
    return lambda trial: trial.come(frames)


def _is_told_to_end(times: int) -> Callable[[Trial], None]:
    """Press Ctrl-C so many times, the second time only where an operator hangs."""

    def happen(trial: Trial) -> None:
        trial.strike()
        if times > 1:
            trial.tell("middle", "hang")
            trial.done()
        for _ in range(times):
            for program in trial.programs.values():
                program.send_signal(signal.SIGINT)
            time.sleep(0.5)

    return happen


def _loses_its_launcher(trial: Trial) -> None:
    trial.strike()
    for program in trial.programs.values():
        program.kill()
    deadline = time.monotonic() + PATIENCE
    while any(host.processes() for host in trial.hosts.values()):
        assert time.monotonic() < deadline, trial.left()
        time.sleep(0.01)


def _loses_its_cable(fragment: str) -> Callable[[Trial], None]:
    def happen(trial: Trial) -> None:
        trial.strike()
        cable = trial.places[fragment].cable
        cable.cut()
        time.sleep(5)
        cable.mend()
        trial.go_on()

    return happen


def _loses_power(fragment: str) -> Callable[[Trial], None]:
    def happen(trial: Trial) -> None:
        trial.strike()
        trial.lose(fragment)
        time.sleep(trial.draw.uniform(0, 3))
        trial.bring_back(fragment)
        trial.go_on()

    return happen


def _one_after_another(trial: Trial) -> None:
    """All that an app survives that is on one host."""
    for fragment in FRAGMENTS:
        _dies(fragment)(trial)
    _stops("middle", None)(trial)
    _does("middle", "raise")(trial)
    _does("last", "hang")(trial)
    _does("last", "leak")(trial)


def _all_at_once(trial: Trial) -> None:
    """Several of all that an app survives, some at the same time."""
    for _ in range(4):
        trial.come(trial.count() + trial.draw.randint(5, 60))
        for fragment in trial.draw.sample(sorted(FRAGMENTS), trial.draw.randint(1, 3)):
            what = trial.draw.choice(["kill", "stop", "raise", "hang", "leak"])
            if what == "kill":
                trial.signal(fragment, signal.SIGKILL)
            elif what == "stop":
                trial.signal(fragment, signal.SIGSTOP)
            else:
                trial.tell(fragment, what)
    trial.go_on()


def _writer(on_error: str) -> dict[str, Any]:
    return {
        "type": "io.json_lines",
        "inputs": {"x": "work"},
        "with": {"path": "disk/results.jsonl"},
        "on_error": on_error,
    }


_HANG = {**BACK, "hang": "2s"}
_MEMORY = {**BACK, "memory": "400MB"}
_NEVER = {"restart": "never"}

FAULTS = (
    *(
        Fault(
            f"`kill -9` of the {which} fragment",
            "starts it again; the others wait",
            _dies(which),
            in_hand=int(which != "first"),
            links=(*LINKS, APART),
        )
        for which in FRAGMENTS
    ),
    Fault(
        "`kill -9` of a fragment with `restart: never`",
        "ends, exit status 1",
        _ends(_dies("middle")),
        fragments=_NEVER,
        status=ExitStatus.OPERATOR_FAILED,
        in_hand=1,
        says="middle",
        brief=LINKS,
    ),
    Fault(
        "`kill -9` of `holoflow run` itself",
        "ends at once; nothing is left",
        _loses_its_launcher,
        status=-signal.SIGKILL,
        reports=False,
        brief=["shared_memory"],
    ),
    *(
        Fault(
            f"{which} fragment stopped (`SIGSTOP`) for 6 s",
            "waits for it",
            _stops(which, 6.0),
            links=(*LINKS, APART),
            brief=[APART] * (which == "middle"),
        )
        for which in FRAGMENTS
    ),
    Fault(
        "fragment stopped for longer than `hang:`",
        "kills it and starts it again",
        _stops("middle", None),
        fragments=_HANG,
        in_hand=1,
        says="it hangs",
    ),
    Fault(
        "operator raises",
        "starts its fragment again",
        _does("middle", "raise"),
        says="was told to raise",
    ),
    Fault(
        "operator raises, `restart: never`",
        "ends, exit status 1",
        _ends(_does("middle", "raise")),
        fragments=_NEVER,
        status=ExitStatus.OPERATOR_FAILED,
        says="was told to raise",
    ),
    Fault(
        "operator hangs for longer than `hang:`",
        "kills its fragment and starts it again",
        _does("middle", "hang"),
        fragments=_HANG,
        in_hand=1,
        says="work has been at one frame",
    ),
    Fault(
        "operator leaks beyond `memory:`",
        "kills its fragment and starts it again",
        _does("last", "leak"),
        fragments=_MEMORY,
        in_hand=1,
        says="of memory, but may use",
    ),
    Fault(
        "receiver slower than sender, `block`",
        "the source waits",
        _comes_to(100),
        app={"rate": 1000, "seconds": 0.01},
    ),
    Fault(
        "receiver slower than sender, `drop_oldest`",
        "drops the oldest",
        _comes_to(100),
        app={"rate": 1000, "seconds": 0.01, "when_full": "drop_oldest"},
        brief=LINKS,
    ),
    Fault(
        "disk full, the writer has `on_error: skip`",
        "goes on without what cannot be written",
        _comes_to(400),
        app={"more": {"writer": _writer("skip")}},
        says="No space left on device",
    ),
    Fault(
        "disk full, the writer has `on_error: stop`",
        "starts its fragment again, at most `restarts:` times, then ends, exit status 1",
        _ends(_comes_to(10_000)),
        app={"more": {"writer": _writer("stop")}},
        fragments={**BACK, "restarts": 1},
        status=ExitStatus.OPERATOR_FAILED,
        says="No space left on device",
        brief=["zeromq"],
    ),
    Fault(
        "Ctrl-C",
        "ends its sources and drains, exit status 130",
        _is_told_to_end(1),
        status=ExitStatus.INTERRUPTED,
    ),
    Fault(
        "Ctrl-C twice, an operator hangs",
        "ends, exit status 130",
        _is_told_to_end(2),
        status=ExitStatus.INTERRUPTED,
        in_hand=1,
        brief=["shared_memory"],
    ),
    Fault(
        "one after another: fragments killed and stopped, operators that raise, hang and leak",
        "starts again what fails",
        _one_after_another,
        fragments={**_HANG, **_MEMORY},
        in_hand=5,
        brief=LINKS,
    ),
    Fault(
        "all at once: fragments killed and stopped, operators that raise, hang and leak",
        "starts again what fails",
        _all_at_once,
        fragments={**_HANG, **_MEMORY},
        in_hand=12,
    ),
    *(
        Fault(
            f"cable of the {which} fragment's host cut for 5 s",
            "waits, then goes on",
            _loses_its_cable(which),
            links=(APART,),
            brief=[APART] * (which == "last"),
        )
        for which in FRAGMENTS
    ),
    *(
        Fault(
            f"power cut at the {which} fragment's host; back after some seconds",
            "waits, then goes on",
            _loses_power(which),
            in_hand=8,
            # What was sent is sent again unless its receiver has said that it came; what a host
            # had taken and not passed on yet goes with its memory, and so do the statistics of it.
            twice=8 * (which != "first"),
            uncounted=8 * (which == "middle"),
            anew=True,
            links=(APART,),
            brief=[APART] * (which == "middle"),
        )
        for which in FRAGMENTS
    ),
)
"""In the order of the documents."""
