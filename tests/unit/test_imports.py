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


def test_what_takes_long_to_import_waits_until_it_is_asked_for():
    assert {"numpy", "pydantic"}.isdisjoint(loaded("import holoflow"))


def test_every_public_name_is_there():
    code = "import holoflow; assert set(holoflow.__all__) <= set(dir(holoflow)); "
    assert "numpy" in loaded(code + "from holoflow import *")
