"""Races of settings whose scores are known."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from holoflow.tune.race import MARGIN, ROUNDS, order, race
from holoflow.tune.settings import DEFAULT, Candidate

SPEEDS = st.lists(st.floats(0.1, 1000.0), min_size=1, max_size=20)


def entrants(count):
    """The default, and other settings."""
    return [DEFAULT, *(Candidate(((("fuse",), number),)) for number in range(1, count))]


def run(speeds, *, drift=(), failing=()):
    """Return the winner, and how often each was tried; round n is `drift[n]` times as fast."""
    who = entrants(len(speeds))
    speed = dict(zip(who, speeds, strict=True))
    tried = Counter()

    def score(setting):
        number = tried[setting]
        tried[setting] += 1
        if setting in failing:
            return None
        return speed[setting] * (drift[number % len(drift)] if drift else 1)

    return race(who, score), tried


@given(SPEEDS)
def test_the_fastest_wins_if_it_is_worth_it(speeds):
    first, best = speeds[0], max(speeds)
    won, _ = run(speeds)
    if best >= first * MARGIN * 1.000001:
        assert speeds[entrants(len(speeds)).index(won)] == best
    elif best < first * MARGIN * 0.999999:
        assert won == DEFAULT


@given(SPEEDS, st.lists(st.floats(0.01, 100.0), min_size=1, max_size=6))
def test_what_makes_whole_rounds_slower_changes_nothing(speeds, drift):
    speeds = [round(speed) + 1.0 for speed in speeds]  # no ties by rounding errors
    assert (
        speeds[entrants(len(speeds)).index(run(speeds, drift=drift)[0])]
        == (speeds[entrants(len(speeds)).index(run(speeds)[0])])
    )


@given(SPEEDS, st.data())
def test_who_fails_is_not_tried_again_and_does_not_win(speeds, data):
    others = entrants(len(speeds))[1:]
    failing = data.draw(st.sets(st.sampled_from(others))) if others else set()
    won, tried = run(speeds, failing=failing)
    assert won not in failing
    assert all(tried[setting] == 1 for setting in failing)


@given(SPEEDS)
def test_the_first_is_in_every_round_and_losers_drop_out_early(speeds):
    won, tried = run(speeds)
    assert tried[DEFAULT] == max(tried.values(), default=0)
    assert sum(tried.values()) <= 2 * len(speeds) + len(speeds).bit_length() + 2 * ROUNDS
    if won != DEFAULT:
        assert tried[won] >= ROUNDS


@given(st.integers(1, 20), st.integers(0, 9))
def test_each_round_tries_all_once(count, number):
    who = entrants(count)
    assert sorted(order(who, number), key=str) == sorted(who, key=str)


def test_one_lucky_round_is_not_enough():
    scores = {DEFAULT: [10.0, 10.0, 10.0], Candidate(((("fuse",), "off"),)): [30.0, 30.0, 9.9]}
    turns = Counter()

    def score(setting):
        turns[setting] += 1
        return scores[setting][turns[setting] - 1]

    assert race(list(scores), score) == DEFAULT
