"""Whatever happens to an app: it ends, its exit status is true, nothing is left, counts add up.

Faults happen here once, at moments drawn anew each time, and only those that are most different.
With FAULTS_TIMES=10 each of all happens ten times, by each kind of link.
"""

from __future__ import annotations

import os
import random

import pytest
from support.fault_table import attempt
from support.faults import FAULTS

TIMES = int(os.environ.get("FAULTS_TIMES", "0"))
TRIALS = [(fault, link) for fault in FAULTS for link in (fault.links if TIMES else fault.brief)]


@pytest.mark.parametrize("time", range(max(TIMES, 1)))
@pytest.mark.parametrize(
    ("fault", "link"), TRIALS, ids=[f"{fault.name}, {link}" for fault, link in TRIALS]
)
def test_fault(hosts, tmp_path, fault, link, time):
    seed = random.SystemRandom().randrange(10**6)
    outcome = attempt(fault, link, seed, tmp_path)
    assert not outcome.wrong, f"seed {seed}\n" + "\n".join(outcome.wrong)
