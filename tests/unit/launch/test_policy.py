"""When a fragment is started again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.graphs import Pass, Sink, Source, chain, fragment, node

from holoflow.launch.supervisor import (
    LONGEST_DELAY,
    SHORTEST_DELAY,
    back_off,
    consecutive_restarts,
    policy_of,
    restart_delay,
)
from holoflow.plan import plan


def test_each_wait_is_twice_as_long_up_to_a_bound() -> None:
    assert [back_off(n) for n in range(8)] == [0.25, 0.5, 1, 2, 4, 8, 10, 10]


@given(st.integers(0, 10**9))
def test_waits_are_bounded(tries: int) -> None:
    assert SHORTEST_DELAY <= back_off(tries) <= LONGEST_DELAY


@pytest.mark.parametrize(
    ("policy", "well", "comes_back"),
    [
        ("never", True, False), ("never", False, False),
        ("on-failure", True, False), ("on-failure", False, True),
        ("always", True, True), ("always", False, True),
    ],
)  # fmt: skip
def test_who_comes_back(policy: object, well: bool, comes_back: bool) -> None:
    assert (restart_delay(policy, 10, 0, well=well) is not None) == comes_back  # type: ignore[arg-type]


def test_there_is_an_end_of_restarts_in_a_row() -> None:
    assert [restart_delay("always", 2, tries, well=False) for tries in range(4)] == [
        0.25,
        0.5,
        None,
        None,
    ]
    assert restart_delay("on-failure", 0, 0, well=False) is None


def test_a_minute_without_a_failure_begins_a_new_row() -> None:
    assert consecutive_restarts(7, 59.9) == 7
    assert consecutive_restarts(7, 60.0) == 0


def test_what_others_feed_ends_with_them_and_what_is_bounded_ends_then() -> None:
    planned = plan(
        chain(
            node("source", Source), node("pass", Pass), node("sink", Sink),
            fragments=[
                fragment("a", "source", restart="always"),
                fragment("b", "pass", restart="always"),
                fragment("c", "sink", restart="never"),
            ],
        )
    )  # fmt: skip
    a, b, c = planned.app.fragments.values()
    assert policy_of(planned, a, bounded=False) == "always"
    assert policy_of(planned, a, bounded=True) == "on-failure"
    assert policy_of(planned, b, bounded=False) == "on-failure"
    assert policy_of(planned, c, bounded=False) == "never"
