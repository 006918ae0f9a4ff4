"""A race of several settings: which are tried again, and which one wins.

It is sequential halving (Z. Karnin, T. Koren, O. Somekh, "Almost optimal exploration in
multi-armed bandits", 2013): each round tries all that are left once, and the worse half is out. As
other programs come and go, scores are compared within a round alone, with that of the setting that
is to be beaten, which takes part in every round.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import median

from holoflow.tune.settings import Candidate

ROUNDS = 3
"""Rounds that a winner has won, each of them."""
MARGIN = 1.05
"""How much better a winner is: less is not worth a line in the app file."""
HOPELESS = 0.85
"""Who is worse than this, compared with the setting that is to be beaten, is out at once."""

Scores = Mapping[Candidate, Sequence["float | None"]]
"""Scores by round, higher is better; None where a trial failed. The first is to be beaten."""


def order(left: Sequence[Candidate], number: int) -> list[Candidate]:
    """Return the order of round `number`: every other one backwards, so that a drift evens out."""
    return list(reversed(left)) if number % 2 else list(left)


def ratios(scores: Scores, one: Candidate, other: Candidate) -> list[float]:
    """Return by how much `one` was better than `other` in each round in which both were tried."""
    pairs = zip(scores[one], scores[other], strict=False)
    return [a / b for a, b in pairs if a is not None and b is not None and b > 0]


def advantage(scores: Scores, one: Candidate, other: Candidate) -> float:
    """Return the median of `ratios`; 0 without any."""
    return median(ratios(scores, one, other) or [0.0])


def survivors(scores: Scores, left: Sequence[Candidate]) -> list[Candidate]:
    """Return who takes part in the next round: the first, and the better half of the others.

    Those that failed or are hopeless are out in any case.
    """
    first, *others = left
    ranked = sorted(others, key=lambda setting: -advantage(scores, setting, first))
    hopeful = [
        setting for setting in ranked[: (len(ranked) + 1) // 2]
        if None not in scores[setting] and advantage(scores, setting, first) >= HOPELESS
    ]  # fmt: skip
    return [first, *hopeful]


def winner(scores: Scores, left: Sequence[Candidate]) -> Candidate:
    """Return the best of those that have beaten the first in every round, and by `MARGIN`."""
    first, *others = left
    better = [
        setting for setting in others
        if len(found := ratios(scores, setting, first)) >= ROUNDS
        and None not in scores[setting]
        and min(found) > 1
        and median(found) >= MARGIN
    ]  # fmt: skip
    return max(better, key=lambda setting: advantage(scores, setting, first), default=first)


def race(entrants: Sequence[Candidate], score: Callable[[Candidate], float | None]) -> Candidate:
    """Return the winner of a race; the first of `entrants` is to be beaten.

    Args:
        entrants: Different settings.
        score: Tries a setting; higher is better, None if it failed.
    """
    scores: dict[Candidate, list[float | None]] = {setting: [] for setting in entrants}
    left, number = list(entrants), 0
    while len(left) > 2 or (len(left) > 1 and number < ROUNDS):
        for setting in order(left, number):
            scores[setting].append(score(setting))
        left, number = survivors(scores, left), number + 1
    return winner(scores, left)
