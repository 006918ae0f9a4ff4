"""What is imported with what: time that every start would pay."""

import subprocess
import sys

import pytest

HEAVY = {
    "asyncio", "av", "cv2", "holoscan", "iceoryx2", "jsonschema", "matplotlib", "onnx",
    "onnxruntime", "pip", "requests", "rich", "scipy", "starlette", "torch",
    "uvicorn", "zmq",
}  # fmt: skip
"""What only some commands and operators need."""


def loaded(code: str) -> set[str]:
    """Return the modules that a new interpreter has loaded after `code`."""
    code += "\nimport sys\nprint(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(run.stdout.splitlines()[-1].split())


def loaded_by(*arguments: str) -> set[str]:
    """Return the modules that the command line has loaded once it is done."""
    return loaded(
        f"from holoflow.cli.program import program\nprogram({arguments!r}, standalone_mode=False)"
    )


def rooms(modules: set[str]) -> set[str]:
    return {name.split(".")[1] for name in modules if name.startswith("holoflow.")}


def test_importing_holoflow_imports_nothing_else():
    new = loaded("import holoflow") - loaded("")
    assert {name.partition(".")[0] for name in new} - sys.stdlib_module_names == {"holoflow"}
    assert not HEAVY & new


def test_an_operator_needs_only_the_core():
    modules = loaded("from holoflow import Operator")
    assert rooms(modules) == {"core", "holoscan"}
    assert not {"numpy", "pydantic", *HEAVY} & modules


def test_help_needs_only_the_command_line():
    modules = loaded_by("--help")
    assert rooms(modules) == {"cli", "core", "holoscan"}
    assert not {"numpy", "pydantic", *HEAVY} & modules


@pytest.mark.parametrize(
    ("app", "operators"),
    [
        ("hello", {"capture.synthetic", "visualize.overlay", "io.video_writer", "io.json_lines"}),
        (
            "faces/apart",
            {
                "capture.video", "preprocess.resize", "preprocess.letterbox", "preprocess.tensor",
                "inference.onnx", "postprocess.centres", "visualize.overlay", "visualize.web",
                "io.video_writer", "io.json_lines",
            },
        ),
    ],
)  # fmt: skip
def test_checking_an_app_imports_its_operators_but_not_their_libraries(app, operators):
    modules = loaded_by("check", app)
    assert not {"engine", "launch", "link", "report", "stats"} & rooms(modules)
    prefix = "holoflow.operators."
    names = [name.removeprefix(prefix).split(".") for name in modules if name.startswith(prefix)]
    public = {".".join(name) for name in names if len(name) == 2 and not name[1].startswith("_")}
    assert public == operators
    assert not HEAVY & modules


def test_a_run_in_one_process_needs_no_launcher():
    modules = loaded("import holoflow.cli.running")
    assert "launch" not in rooms(modules)
    assert not HEAVY - {"rich"} & modules


def test_the_catalogue_is_listed_without_the_operators():
    modules = loaded_by("ops", "list")
    assert not any(name.startswith("holoflow.operators.") for name in modules)
    assert not HEAVY & modules


def test_hosted_is_there_for_applications_written_by_hand():
    assert "holoflow.engine.hosted" in loaded("from holoflow import hosted")


def test_every_public_name_is_there():
    code = "import holoflow; assert set(holoflow.__all__) <= set(dir(holoflow)); "
    assert "numpy" in loaded(code + "from holoflow import *")
