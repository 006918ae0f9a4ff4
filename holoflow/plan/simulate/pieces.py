"""Cutting an app without fragments into some, between its stages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from holoflow.app.graph import App, Fragment
from holoflow.plan.plan import Plan


def in_order(planned: Plan) -> list[tuple[str, ...]]:
    """Return the operators of each stage, each stage behind those that feed it."""
    left = [stage.operators for stage in planned.stages]
    feeders = {
        operators: {
            flow.source.operator
            for flow in planned.flows
            if flow.target.operator in operators
            and not flow.back_edge
            and flow.source.operator not in operators
        }
        for operators in left
    }
    done: set[str] = set()
    ordered = []
    while left:
        # A ring without a back edge is no app; the first would do.
        ready = next((operators for operators in left if feeders[operators] <= done), left[0])
        left.remove(ready)
        ordered.append(ready)
        done.update(ready)
    return ordered


def cut(app: App, stages: Sequence[tuple[str, ...]], at: Sequence[int]) -> App:
    """Return `app` with fragments part-1, part-2 …, cut before the stages of these places."""
    bounds = [0, *sorted(at), len(stages)]
    fragments = {}
    for number, (first, last) in enumerate(pairwise(bounds), 1):
        operators = tuple(name for stage in stages[first:last] for name in stage)
        fragments[f"part-{number}"] = Fragment(f"part-{number}", operators)
    return replace(app, fragments=fragments)


def more_cuts(stages: int, at: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Yield the places of one cut more than `at`."""
    for place in range(1, stages):
        if place not in at:
            yield (*at, place)
