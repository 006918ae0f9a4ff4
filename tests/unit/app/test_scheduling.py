"""`scheduler:` of an app: thread pools, clocks, and what of them does not go together."""

from __future__ import annotations

from pathlib import Path

import pytest

from holoflow.app.graph import Scheduler, ThreadPool
from holoflow.app.load import load
from holoflow.app.mistakes import AppError


def read(scheduler: str, tmp_path: Path) -> Scheduler:
    (tmp_path / "ops.py").write_text(
        "from collections.abc import Iterator\n"
        "from holoflow import Operator\n"
        "class GiveOp(Operator):\n"
        "    def frames(self) -> Iterator[int]:\n"
        "        yield 1\n"
        "class TakeOp(Operator):\n"
        "    def process(self, x: int) -> None: ...\n"
    )
    path = tmp_path / "app.yaml"
    path.write_text(
        f"app: a\nscheduler: {scheduler}\noperators:\n"
        '  give: {type: "./ops.py:GiveOp"}\n'
        '  take: {type: "./ops.py:TakeOp", inputs: {x: give}}\n'
    )
    return load(path).scheduler


def test_pools(tmp_path: Path) -> None:
    scheduler = read("{pools: {slow: {operators: [take, give], pin: true}}}", tmp_path)
    assert scheduler.pools == (ThreadPool("slow", ("take", "give"), 2, pin=True),)


@pytest.mark.parametrize(
    ("scheduler", "said"),
    [
        ("{pools: {p: {operators: [tke]}}}", "unknown operator 'tke'; did you mean 'take'"),
        (
            "{pools: {p: {operators: [take]}, q: {operators: [take]}}}",
            "operator 'take' already is in pool 'p'; name it once",
        ),
        ("{kind: greedy, pools: {p: {operators: [take]}}}", "has one thread and no pools"),
        ("{pools: {p: {operators: [take], policy: fifo}}}", "policy fifo needs 'priority'"),
        ("{pools: {p: {operators: [take], period: 1ms}}}", "write policy: deadline, or remove it"),
        ("{clock: manual}", "only the greedy scheduler moves a manual clock on"),
    ],
)
def test_mistakes(scheduler: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(AppError, match=said) as raised:
        read(scheduler, tmp_path)
    assert "app.yaml:2:" in str(raised.value)
