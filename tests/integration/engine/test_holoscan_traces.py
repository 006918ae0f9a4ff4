"""Apps of Holoscan's operators, of own ones and of both: reports, logs and traces agree."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.graphs import EVENT2, GREEDY, Count, Pass, Source, app, flow, node, run
from support.holohub_log import parse
from support.holoscan_operators import GiveOp, PassOp, TakeOp, holoscan_node
from support.perfetto_trace import Trace

from holoflow.app.graph import App, Budget, Node
from holoflow.holoscan import runtime
from holoflow.holoscan.classes import HoloscanOperator
from holoflow.report.export import perfetto, table

runtime.load()
from holoscan.operators import PingTensorRxOp, PingTensorTxOp  # noqa: E402

N = 40


def in_cpp(name: str, cls: type, inputs: tuple[str, ...], outputs: tuple[str, ...]) -> Node:
    arguments = {"storage_type": "system"} if outputs else {}
    made = HoloscanOperator(cls, arguments, (), inputs, outputs)
    return Node(name, cls.__name__, cls, holoscan_operator=made)


def drawn_up(kind: str) -> App:
    give, between = node("give", Source, {"n": N}), node("pass", Pass)
    take = node("take", Count)
    start, end = "pass", "take"
    if kind in ("holoscan", "both"):
        between, start = holoscan_node("pass", PassOp), "pass.in"
    if kind == "holoscan":
        give = holoscan_node("give", GiveOp)
        take, end = holoscan_node("take", TakeOp), "take.in"
    if kind == "cpp":
        give = in_cpp("give", PingTensorTxOp, (), ("out",))
        between, start = holoscan_node("pass", PassOp), "pass.in"
        take, end = in_cpp("take", PingTensorRxOp, ("in",), ()), "take.in"
    budget = Budget("give", "take", {"p50": 30.0})
    flows = [flow("give", start), flow("pass", end)]
    return app([give, between, take], flows, budgets=(budget,), fuse=False)


@pytest.mark.parametrize("engine", [GREEDY, EVENT2], ids=str)
@pytest.mark.parametrize("kind", ["own", "holoscan", "both", "cpp"])
def test_all_of_them_have_the_same_numbers(kind: str, engine: Any, tmp_path: Path) -> None:
    ran = run(drawn_up(kind), engine, frames=N, trace=1000)
    assert ran.result.outcome == "done", ran.result.failure
    last = ran.result.last
    assert [(stats.frames, stats.sent) for stats in last.operators] == [(N, N), (N, N), (N, 0)]
    assert [(f.sent, f.delivered, f.lost) for f in last.flows] == [(N, N, 0)] * 2
    assert all(stats.working.count == stats.latency.count == N for stats in last.operators)
    (path,) = last.paths
    assert (path.name, path.frames) == ("give → pass → take", N)
    (budget,) = last.budgets
    assert budget.judged
    assert budget.times.count == N
    assert ran.result.records is not None
    assert table.write_log(ran.result.records, tmp_path / "log") == N
    latencies, _, _ = parse((tmp_path / "log").read_text())
    (seen,) = latencies.values()  # of like lines within 20 µs the scripts count the first alone
    assert max(seen) == pytest.approx(path.end_to_end.max * 1e3, abs=0.01)
    perfetto.write_trace(ran.result.records, tmp_path / "trace")
    trace = Trace((tmp_path / "trace").read_bytes())
    assert trace.arrows() == {("give", "pass"): N, ("pass", "take"): N}
