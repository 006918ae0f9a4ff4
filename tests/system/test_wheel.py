"""A wheel built from the repository works where the repository is not."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build a wheel and install it into an environment of its own; return its `holoflow`.

    The libraries come from the environment of the tests, holoflow itself only from the wheel.
    """
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    leave_out = shutil.ignore_patterns(
        ".git", ".venv*", "runs", "build", "dist", "*.egg-info", "__pycache__", ".*_cache"
    )
    shutil.copytree(REPOSITORY, source, symlinks=True, ignore=leave_out)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    wheel = [*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", str(folder), str(source)]
    subprocess.run(wheel, check=True, capture_output=True, text=True)
    (built,) = folder.glob("holoflow-*.whl")

    environment = folder / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    python = environment / "bin" / "python"
    paths = {"base": str(environment), "platbase": str(environment)}
    site = Path(sysconfig.get_path("purelib", vars=paths))
    subprocess.run(
        [*pip, "--python", str(python), "install", "--no-deps", str(built)],
        check=True, capture_output=True,
    )  # fmt: skip
    # After the wheel's own folder, so that holoflow is never found in the repository.
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    shutil.rmtree(source)
    return environment / "bin" / "holoflow"


def run(program: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the installed `holoflow` where nothing of the repository is near."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    return subprocess.run(
        [str(program), *arguments], cwd=cwd, env=environment, capture_output=True, text=True
    )


def test_it_is_the_wheel_that_runs(installed: Path, tmp_path: Path) -> None:
    python = installed.with_name("python")
    code = "import holoflow.operators.capture as c; print(c.__file__)"
    where = subprocess.run([str(python), "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert where.stdout.startswith(str(installed.parents[1])), where.stderr


@pytest.mark.parametrize(
    ("app", "table", "frames"), [("hello", "hello.jsonl", 90), ("faces", "faces.jsonl", 120)]
)
def test_shipped_app_runs(
    installed: Path, tmp_path: Path, app: str, table: str, frames: int
) -> None:
    result = run(installed, "run", app, "--no-web", "--output", str(tmp_path / "out"), cwd=tmp_path)

    assert result.returncode == 0, result.stderr
    lines = (tmp_path / "out" / table).read_text().splitlines()
    assert [json.loads(line)["sequence"] for line in lines] == list(range(frames))


def test_reusable_fragments_and_apps_beside_others_are_in_it(
    installed: Path, tmp_path: Path
) -> None:
    names = sorted(file.stem for file in (REPOSITORY / "fragments").glob("*.yaml"))
    (tmp_path / "app.yaml").write_text(f"app: x\noperators: {{a: {{use: {names[0]}x}}}}\n")

    known = run(installed, "check", "app.yaml", cwd=tmp_path)
    apart = run(installed, "check", "faces/apart", cwd=tmp_path)

    assert f"did you mean '{names[0]}'?" in known.stdout
    assert apart.returncode == 0, apart.stdout
