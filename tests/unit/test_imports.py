"""What is imported with what."""

import subprocess
import sys


def loaded(code: str) -> set[str]:
    """Return the modules that a new interpreter has loaded after `code`."""
    code += "; import sys; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


def test_an_operator_needs_only_the_core():
    rooms = {name.split(".")[1] for name in loaded("from holoflow import Operator")
             if name.startswith("holoflow.")}  # fmt: skip
    assert rooms == {"core", "holoscan"}


def test_hosted_is_there_for_applications_written_by_hand():
    assert "holoflow.engine.hosted" in loaded("from holoflow import hosted")
