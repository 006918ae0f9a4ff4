"""Clocks that wake: the wall's and a simulated one."""

from __future__ import annotations

import threading
import time

from holoflow.engine.timers import SimulatedTimers, Timers

MS = 1_000_000


def test_simulated_time_jumps_from_alarm_to_alarm() -> None:
    timers = SimulatedTimers(100)
    woken: list[tuple[str, int]] = []
    for name, due in (("late", 300), ("early", 200), ("with it", 200), ("past", 50)):
        timers.wake_at(due, lambda name=name: woken.append((name, timers.now())))  # type: ignore[misc]
    assert timers.armed
    assert timers.now() == 100
    timers.jump()
    assert woken == [("past", 100)]
    timers.jump()
    assert woken[1:] == [("early", 200), ("with it", 200)]
    timers.jump()
    assert woken[3:] == [("late", 300)]
    assert not timers.armed
    timers.stop()


def test_wall_time() -> None:
    before = set(threading.enumerate())
    begin = time.time_ns()
    timers = Timers(begin)
    try:
        woken: list[tuple[str, int]] = []
        over = threading.Event()
        start = timers.now()
        assert start >= begin
        timers.wake_at(start + 3_600_000 * MS, over.set)
        timers.wake_at(start + 20 * MS, lambda: (woken.append(("b", timers.now())), over.set()))  # type: ignore[func-returns-value]
        timers.wake_at(start + 5 * MS, lambda: woken.append(("a", timers.now())))
        assert timers.armed
        assert over.wait(300)
        assert [name for name, _ in woken] == ["a", "b"]
        assert woken[0][1] >= start + 5 * MS
        assert woken[1][1] >= start + 20 * MS
    finally:
        timers.stop()
    assert not any(t.name == "timers" for t in set(threading.enumerate()) - before)


def test_a_clock_begins_anew() -> None:
    timers = Timers(10**18)
    timers.restart(0)
    assert timers.now() < 60_000 * MS
    timers.stop()
    simulated = SimulatedTimers(5)
    simulated.restart(7)
    assert simulated.now() == 7
