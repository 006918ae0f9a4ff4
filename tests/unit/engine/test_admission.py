"""How many frames of a source may be under way at once."""

import gc
import threading
from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from holoflow.engine.admission import Admission, Search


def drive(search: Search, rate, seconds: float, *, waited=True) -> None:
    """Let frames in at `rate(limit, now)` a second."""
    now = 1
    while now < seconds * 1e9:
        now += round(1e9 / rate(search.limit, now / 1e9))
        search.entered(now, waited=waited)


@given(
    latency=st.floats(0.0005, 0.2),
    lanes=st.integers(1, 12),
    usual=st.integers(1, 12),
    least=st.integers(1, 4),
)
def test_it_finds_what_an_app_can_use(latency, lanes, usual, least):
    """`lanes` frames are worked on at once; more only wait."""
    search = Search(usual, least)
    drive(search, lambda limit, _: min(limit, lanes) / latency, 60 + 2000 * latency)
    rate = min(search.chosen, lanes) / latency
    assert rate >= 0.85 * min(max(lanes, least), lanes) / latency
    assert search.chosen <= max(lanes, least) + 1
    assert search.chosen >= least


def test_it_follows_the_load():
    search = Search(2)
    drive(search, lambda limit, now: min(limit, 2 if now < 60 else 6) / 0.02, 200)
    assert 5 <= search.chosen <= 7


@given(usual=st.integers(1, 8), slower=st.floats(0.2, 1))
def test_a_source_that_is_slower_than_the_app_changes_nothing(usual, slower):
    search = Search(usual)
    drive(search, lambda _limit, now: 30 * (slower if now > 5 else 1), 30, waited=False)
    assert search.chosen == usual


@given(st.lists(st.sampled_from(["enter", "leave"]), max_size=60), st.integers(1, 5))
def test_never_more_than_allowed_and_woken_when_there_is_room(steps, limit):
    woken = []
    admission = Admission(lambda: woken.append(None), limit)
    tickets: deque = deque()
    waits = False
    for step in steps:
        if step == "enter":
            waits = not admission.admits()
            assert waits == (len(tickets) == limit)
            if not waits:
                tickets.append(admission.enter())
        elif tickets:
            woken.clear()
            tickets.popleft()
            assert bool(woken) == waits
        assert admission.under_way == len(tickets)
        assert admission.open() == (len(tickets) < limit)


def test_where_nothing_moves_one_more_is_let_in():
    admission = Admission(lambda: None, 1)
    assert not admission.lift()  # it waits for nothing
    first = admission.enter()
    assert not admission.admits()
    assert admission.lift()
    assert admission.admits()
    assert not admission.lift()  # it may wait for something else now
    assert not admission.admits(full=True)  # more would not help where a queue has no room
    assert not admission.lift()
    del first


def test_frames_end_in_any_thread_and_in_garbage():
    admission = Admission(lambda: None, 1000)

    def hold(ticket):
        circle = [ticket]
        circle.append(circle)

    threads = [threading.Thread(target=hold, args=(admission.enter(),)) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    threads.clear()
    gc.collect()
    assert admission.under_way == 0
