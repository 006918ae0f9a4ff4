"""Counters that outlive the process that counts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holoflow.stats import counters
from holoflow.stats.causes import CAUSES, Cause
from holoflow.stats.counters import ARRIVED, GONE, RETURNED, SENT, TAKEN, WIDTH, Counters


def test_rows_and_counters_lie_side_by_side() -> None:
    made = Counters(3, 2)
    for place, block in enumerate((*made.blocks, made.frame_numbers)):
        for index in range(len(block)):
            block[index] = 100 * place + index
    assert [list(block) for block in made.blocks] == [
        [100 * place + index for index in range(WIDTH)] for place in range(3)
    ]
    assert list(made.frame_numbers) == [300, 301]


def test_an_app_without_flows_has_counters_too() -> None:
    assert Counters(0).blocks == []


@given(
    st.lists(st.sampled_from(["send", "arrive", "take", "return", *CAUSES]), max_size=60),
)
def test_books_add_up(steps: list[str]) -> None:
    block = Counters(1).blocks[0]
    queue = under_way = 0
    for step in steps:
        if step == "send":
            block[SENT] += 1
            under_way += 1
        elif step == "arrive" and under_way:
            block[ARRIVED] += 1
            under_way, queue = under_way - 1, queue + 1
        elif step == "take" and queue:
            block[TAKEN] += 1
            queue -= 1
        elif step == "return" and counters.delivered(block):
            block[RETURNED] += 1
            counters.drop(block, "error")
        elif step in CAUSES and queue:
            counters.drop(block, step)
            queue -= 1
        assert counters.waiting(block) == queue + under_way
        assert counters.queued(block) == queue
        assert block[SENT] == counters.delivered(block) + counters.lost(block) + counters.waiting(
            block
        )
        assert sum(counters.dropped(block).values()) == counters.lost(block)
        assert 0 not in counters.dropped(block).values()


def test_each_cause_has_a_meaning() -> None:
    assert tuple(CAUSES) == get_args(Cause)
    assert all(CAUSES.values())


def test_the_cause_of_an_end_is_kept() -> None:
    block = Counters(1).blocks[0]
    assert counters.gone_by(block) is None
    for cause in CAUSES:
        block[GONE] = counters.gone(cause)
        assert counters.gone_by(block) == cause


def test_a_file_is_seen_by_all_who_map_it(tmp_path: Path) -> None:
    one, other = (Counters(2, 1, tmp_path / "counters") for _ in range(2))
    one.blocks[1][SENT] = 7
    other.frame_numbers[0] = 3
    assert other.blocks[1][SENT] == 7
    assert one.frame_numbers[0] == 3
    one.close()
    assert other.blocks[1][SENT] == 7
    other.close()


COUNTING = """
import sys
from pathlib import Path
from holoflow.stats.counters import SENT, Counters
block = Counters(1, 0, Path(sys.argv[1])).blocks[0]
while True:
    block[SENT] += 1
    if block[SENT] == 1000:
        print("there", flush=True)
"""


def test_counts_outlive_a_process_that_is_killed(tmp_path: Path) -> None:
    file = tmp_path / "counters"
    with subprocess.Popen(
        [sys.executable, "-c", COUNTING, str(file)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        os.kill(process.pid, signal.SIGKILL)
    left = Counters(1, 0, file)
    assert left.blocks[0][SENT] >= 1000
    left.close()


def test_a_file_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="nowhere"):
        Counters(1, 0, tmp_path / "nowhere" / "counters")
