"""All small apps, one after the other, and the file of what came of them."""

from __future__ import annotations

import json
import os
import platform
import tempfile
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Final, get_args

from holoflow.assets.cache import cache_folder
from holoflow.calibration.reckoning import Trial, reckon
from holoflow.calibration.trial import run_trial
from holoflow.errors import HoloflowError
from holoflow.flow.books import Snapshot
from holoflow.plan.simulate.costs import Costs, LinkName, plain_costs, read_costs
from holoflow.plan.simulate.measured import MEASURED

SIZES: Final = (1_000, 4_000_000)
"""Bytes of the messages."""
CALM: Final = 50.0
"""Messages a second at which nothing waits."""
SECONDS: Final = 2.0
REPEATS: Final = 2
"""Runs as fast as it goes, of which the fastest counts."""


def costs_file() -> Path:
    """Return where the costs of this machine's links are kept."""
    return cache_folder() / "link-costs.json"


def known_costs() -> Costs:
    """Return what was measured here, else what ships with holoflow.

    Raises HoloflowError where the file is broken.
    """
    file = costs_file()
    if not file.exists():
        return MEASURED
    try:
        return read_costs(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, HoloflowError) as error:
        raise HoloflowError(
            f"the costs of links cannot be read: {error}; measure them again with "
            f"holoflow plan --calibrate: {file}"
        ) from None


def _came(snapshot: Snapshot) -> int:
    return snapshot.operator("receive").calls


def calibrate(tell: Callable[[str], None]) -> Costs:
    """Measure the links of this machine, and keep what was found; takes about two minutes.

    `tell` hears what is measured. Raises HoloflowError where that fails.
    """
    links: tuple[LinkName, ...] = get_args(LinkName)
    trials: dict[LinkName, list[Trial]] = {}
    with tempfile.TemporaryDirectory(prefix="holoflow-links-", dir="/tmp") as name:
        folder = Path(name)

        def trial(link: LinkName | None, size: int) -> Trial:
            where = link or "one process"
            tell(f"{where.replace('_', ' ')}, {size:,} bytes")

            def run(rate: float, number: int = 0) -> Snapshot:
                own = folder / f"{where}-{size}-{rate:g}-{number}"
                return run_trial(own, link, size, rate, SECONDS)

            # Other programs make it slower, and nothing makes it faster.
            full = max((run(0.0, number) for number in range(REPEATS)), key=_came)
            return Trial(size, full, run(CALM))

        alone = trial(None, SIZES[0])
        for link in links:
            trials[link] = [trial(link, size) for size in SIZES]
    machine = f"{platform.node()}, {os.cpu_count()} cores, {date.today().isoformat()}"
    costs = reckon(alone, trials, machine)
    file = costs_file()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(plain_costs(costs), indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise HoloflowError(
            f"the costs of links cannot be written: {error.strerror}: {file}"
        ) from None
    return costs
