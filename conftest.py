"""Tests hold on a busy machine, and know nothing of what else their user runs.

What they draw follows from one number, which is printed; `TEST_SEED=` gives it again.
"""

from __future__ import annotations

import atexit
import os
import random
import shutil
import signal
import tempfile

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes is the machine's; fixtures of ours are fit for many examples.
settings.register_profile(
    "holoflow",
    deadline=None,
    print_blob=True,  # how to give a drawn example again
    suppress_health_check=[
        HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture,
    ],
)  # fmt: skip
settings.register_profile("quick", settings.get_profile("holoflow"), max_examples=25)
settings.load_profile("holoflow")

KEPT = ("HOLOFLOW_CACHE",)
"""Variables of holoflow's that tests take from their user: models are fetched once."""

SEED = "TEST_SEED"


def pytest_configure() -> None:
    """Have running apps be found in a folder of these tests alone, workers in theirs.

    What the tests start hears all signals, however they were started themselves: a shell that
    starts them in the background has them ignore Ctrl-C, nohup a closed terminal.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    os.environ.setdefault(SEED, str(random.SystemRandom().randrange(1 << 31)))  # workers take it
    usual = os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", tempfile.gettempdir())
    own = tempfile.mkdtemp(prefix="hf-", dir=usual)
    # At the very end: what multiprocessing keeps there it removes as the process ends.
    atexit.register(shutil.rmtree, own, ignore_errors=True)
    os.environ["TMPDIR"] = tempfile.tempdir = own
    for name in list(os.environ):
        if name == "XDG_RUNTIME_DIR" or (name.startswith("HOLOFLOW_") and name not in KEPT):
            del os.environ[name]


def pytest_report_header() -> str:
    """Print the seed, also where the tests are killed before their end."""
    return f"{SEED}={os.environ[SEED]}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print it beside what has failed."""
    if terminalreporter.stats.get("failed"):
        terminalreporter.write_line(f"{SEED}={os.environ[SEED]} draws the same again")


@pytest.fixture(autouse=True)
def _drawn_again(request: pytest.FixtureRequest) -> None:
    """Have a test draw the same with the same seed, whatever ran before it."""
    random.seed(f"{os.environ[SEED]} {request.node.nodeid}")
