"""Apps drawn by a seed give what a model computes: on each engine, in one piece and in two.

`DRAWN_APPS=500` draws so many, `DRAWN_HOLOSCAN=200` so many with operators of Holoscan's own;
`DRAWN_SEED` is that of the first.
"""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from support.drawn_apps import Drawn, MergeOp, PairMaybe, by_frame, drawn, merged
from support.graphs import EVENT2, GREEDY, INLINE, THREADS2, Engine, Got, run
from support.parts import Parts, check

from holoflow.app.graph import Sync
from holoflow.app.joins import check_steps
from holoflow.app.mistakes import Report
from holoflow.app.origins import Origins
from holoflow.engine.control import RunResult

COUNT = int(os.environ.get("DRAWN_APPS", "40"))
HOLOSCAN = int(os.environ.get("DRAWN_HOLOSCAN", "8"))
FIRST = int(os.environ.get("DRAWN_SEED") or os.environ["TEST_SEED"])
PATIENCE = 120.0


@pytest.mark.parametrize("seed", range(FIRST, FIRST + COUNT))
def test_it_gives_what_the_model_computes(seed: int) -> None:
    app = drawn(seed)
    print(app)
    refused_beforehand(app)
    for engine in (INLINE, EVENT2, THREADS2):
        whole = replace(app.graph, fragments={})
        ran = within(lambda engine=engine, whole=whole: run(whole, engine))
        compare(app, ran.sinks, [ran.result], engine)
    if app.graph.fragments and not windowed(app):  # of parts it is the launcher that sees a stall
        parts = within(lambda: Parts(app.graph).run())
        check(parts)
        compare(app, parts.sinks, list(parts.results.values()), None)


def windowed(app: Drawn) -> bool:
    """Whether a join may have to see later frames than queues on other ways hold, and says so."""
    origins = Origins(app.graph.operators, app.graph.flows)
    joins = {n.name: n.sync for n in app.graph.operators.values() if isinstance(n.sync, Sync)}
    return any(
        sync.tolerance > 0 or sum(map(origins.several, origins.triggers(name))) > 1
        for name, sync in joins.items()
    )


def within(work: Callable[[], Any]) -> Any:
    """Return what `work` returns; a run that has to be killed has failed."""
    done: list[Any] = []

    def go() -> None:
        try:
            done.append(work())
        except BaseException as error:
            done.append(error)

    thread = threading.Thread(target=go, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    assert done, "it hangs"
    if isinstance(done[0], BaseException):
        raise done[0]
    return done[0]


def refused_beforehand(app: Drawn) -> None:
    """What types and policies tell to fall out of step is told before anything runs."""
    unsaid = {
        name: replace(node, sync=None) if node.sync == "arrival" else node
        for name, node in app.graph.operators.items()
    }
    for nodes, wrong in ((unsaid, app.uneven), (app.graph.operators, False)):
        report = Report()
        check_steps(nodes, app.graph.flows, "block", report)
        assert bool(report) == wrong


def compare(app: Drawn, sinks: Any, results: list[RunResult], engine: Engine | None) -> None:
    failures = [result.failure for result in results if result.failure is not None]
    nodes = app.graph.operators.values()
    for failure in failures:
        if "the app is stalled" in failure.cause and windowed(app):
            assert "give the waiting inputs longer queues" in failure.cause
            return
        assert failure.operator in app.stops, failure
        frame = app.stops[failure.operator]
        assert failure.frame.startswith(f"frame {frame} of "), failure
    # What an input has not brought when the run was stopped is missing to the others.
    guessing = (PairMaybe, MergeOp)
    guesses = failures and any(n.cls in guessing or n.sync is not None for n in nodes)
    for name, expected in app.sinks.items():
        got: list[Got] = sinks[name]
        came = [(message.sequence, message.payload) for message in got]
        if app.stops and not guesses:
            assert came == expected[: len(came)], (engine, name)
        elif not app.stops:
            assert came == expected, (engine, name)
    for name, ways in app.mixed.items():
        if not app.stops:
            check_mixed(app, name, sinks[name], ways)


def check_mixed(app: Drawn, sink: str, came: list[Got], ways: list[Any]) -> None:
    """Each input's messages have kept their order, and got numbers of the merge's own."""
    flows = app.graph.flows
    merge = next(f.source.operator for f in flows if f.target.operator == sink)
    assert [message.sequence for message in came] == list(range(len(came)))
    assert {message.source for message in came} <= {merge}
    by_source: dict[str, list[Any]] = {}
    for message in came:
        by_source.setdefault(message.metadata["from"]["source"], []).append(message.payload)
    assert sorted(by_source.values(), key=str) == sorted((w for w in ways if w), key=str)


def test_the_model_itself() -> None:
    a = [(0, ("a", 0)), (1, ("a", 1)), (1, ("a", 2)), (3, ("a", 3))]
    b = [(1, ("b", 1)), (2, ("b", 2))]
    assert by_frame(a, b, optional=False) == [
        (1, (("a", 1), ("b", 1))), (1, (("a", 2), ("b", 1))),
    ]  # fmt: skip
    assert [frame for frame, _ in by_frame(a, b, optional=True)] == [0, 1, 1, 3]
    assert [value for _, value in merged([a, b])] == [
        ("a", 0), ("a", 1), ("a", 2), ("b", 1), ("b", 2), ("a", 3),
    ]  # fmt: skip


@pytest.mark.parametrize("seed", range(FIRST, FIRST + HOLOSCAN))
def test_with_operators_of_holoscans_it_gives_the_same(seed: int) -> None:
    pytest.importorskip("holoscan")
    from support.drawn_natives import drawn_natives

    app = drawn_natives(seed)
    print(app)
    engine = random.Random(seed).choice([EVENT2, GREEDY])
    whole = replace(app.graph, fragments={})
    ran = within(lambda: run(whole, engine))
    compare(app, ran.sinks, [ran.result], engine)
