from contextlib import contextmanager
from types import SimpleNamespace

import pytest


@pytest.fixture
def running():
    """Start an operator and note the drops it counts; stop it at the end."""

    @contextmanager
    def run(operator):
        seen = SimpleNamespace(drops=0)

        def count_drop(cause, count):
            assert cause == "device"
            seen.drops += count

        operator.context.count_drop = count_drop
        operator.start()
        try:
            yield seen
        finally:
            operator.stop()

    return run
