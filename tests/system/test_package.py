"""Apps as images: built, looked into, run without a network, stopped, pushed, pulled, refused."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.containers import BASE, PYTHON, Podman
from support.hosts import REPOSITORY

HOLOFLOW = str(Path(sys.executable).with_name("holoflow"))
SEALED = (
    "--rm", "--network", "none", "--read-only", "--cap-drop", "all",
    "--security-opt", "no-new-privileges",
)  # fmt: skip
PATIENCE = 300.0

pytestmark = pytest.mark.timeout(600)  # images are built


def plain(folder: Path, *arguments: str) -> Path:
    """Run an app as it is, and return its output."""
    command = [HOLOFLOW, "run", *arguments, "--no-web", "--output", str(folder)]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return folder


def output(folder: Path) -> Path:
    """Make a folder that the user in a container may write to."""
    folder.mkdir()
    folder.chmod(0o777)
    return folder


def wait_for(containers: Podman, name: str, text: str) -> None:
    """Wait until a running container has logged `text`."""
    command = ["podman", "logs", "--follow", name]
    with subprocess.Popen(
        command, env=containers.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True,
    ) as logs:  # fmt: skip
        try:
            assert logs.stdout is not None
            seen = []
            for line in logs.stdout:
                seen.append(line)
                if text in line:
                    return
            raise AssertionError(f"{name} ended without {text!r}: {''.join(seen)}")
        finally:
            logs.kill()


def layers(containers: Podman, image: str) -> list[str]:
    return json.loads(containers("image", "inspect", image).stdout)[0]["RootFS"]["Layers"]


# -- what is in an image -----------------------------------------------------------------------


def test_an_image_says_what_it_is(containers: Podman, hello_image: str) -> None:
    (found,) = json.loads(containers("image", "inspect", hello_image).stdout)
    config = found["Config"]
    assert config["User"] == "10001:10001"
    assert config["Labels"]["org.opencontainers.image.title"] == "hello"
    assert config["Labels"]["io.holoflow.app"] == "hello"
    assert config["StopSignal"] in ("SIGTERM", "15")
    assert found["Healthcheck"]["Test"][-1] == "health"
    described = json.loads(containers("run", *SEALED, hello_image, "describe").stdout)
    assert described["app"]["name"] == "hello"
    assert "holoscan-cu12" in described["versions"]


def test_what_the_app_does_not_use_is_not_in_it(containers: Podman, hello_image: str) -> None:
    code = "import importlib.util as u; print(*(m for m in %r if u.find_spec(m)))"
    unused = ("cupy", "onnxruntime", "zmq", "iceoryx2", "starlette", "pydicom", "pytest", "mypy")
    used = ("av", "holoscan", "numpy")
    ran = containers(
        "run", *SEALED, "--entrypoint", "python3", hello_image, "-c", code % ((*unused, *used),)
    )
    assert ran.stdout.split() == list(used)
    size = json.loads(containers("image", "inspect", hello_image).stdout)[0]["Size"]
    base = json.loads(containers("image", "inspect", BASE).stdout)[0]["Size"]
    assert size - base < 700e6


def test_what_was_gathered_needs_no_network(
    containers: Podman, hello_image: str, tmp_path: Path
) -> None:
    made = containers.run(
        "unshare", "--net", HOLOFLOW, "package", "hello", "--base", BASE, "--python", PYTHON,
        "--offline", "--gather", "--sbom", str(tmp_path / "sbom.json"),
    )  # fmt: skip
    assert re.search(r"\d+ wheels \d+.* MB, assets 0 B", made.stdout)
    parts = json.loads((tmp_path / "sbom.json").read_text())["components"]
    assert {"holoflow", "holoscan-cu12", "numpy"} <= {part["name"] for part in parts}


# -- running -----------------------------------------------------------------------------------


def test_it_runs_as_outside(containers: Podman, hello_image: str, tmp_path: Path) -> None:
    expected = plain(tmp_path / "plain", "hello", "--lossless")
    folder = output(tmp_path / "inside")
    ran = containers("run", *SEALED, "--volume", f"{folder}:/output", hello_image, "--lossless")
    assert "\x1b" not in ran.stdout + ran.stderr
    assert (folder / "hello.jsonl").read_text() == (expected / "hello.jsonl").read_text()
    assert (folder / "hello.mp4").stat().st_uid == 10001
    assert json.loads((folder / "report.json").read_text())["outcome"] == "done"


def test_settings_and_other_commands(containers: Podman, hello_image: str) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return containers("run", *SEALED, hello_image, *arguments, check=False)

    assert "is valid" in run("check").stdout
    assert "flowchart" in run("graph", "--format", "mermaid").stdout
    wrong = run("--set", "objects=many")
    assert wrong.returncode == 2
    assert "app.yaml:" in wrong.stderr + wrong.stdout
    assert "Traceback" not in wrong.stderr + wrong.stdout


def test_sigterm_drains(containers: Podman, hello_image: str, tmp_path: Path) -> None:
    folder = output(tmp_path / "out")
    containers(
        "run", "--detach", "--name", "endless", *SEALED[1:], "--volume", f"{folder}:/output",
        "--env", "FRAMES=100000000", hello_image,
    )  # fmt: skip
    try:
        wait_for(containers, "endless", "frames")
        containers("stop", "--time", "30", "endless")
        found = json.loads(containers("inspect", "endless").stdout)[0]["State"]
        report = json.loads((folder / "report.json").read_text())
    finally:
        containers("rm", "--force", "endless")
    assert found["ExitCode"] == 130  # it was interrupted, not killed: that were 137
    flows = report["snapshot"]["flows"]
    assert flows
    assert all(f["sent"] == f["delivered"] + sum(f["dropped"].values()) for f in flows)
    sent = {o["name"]: o["frames"] for o in report["snapshot"]["operators"]}
    assert len((folder / "hello.jsonl").read_text().splitlines()) == sent["table"]


def test_fragments_in_one_container(containers: Podman, faces_image: str, tmp_path: Path) -> None:
    expected = plain(tmp_path / "plain", "faces", "--lossless")
    folder = output(tmp_path / "inside")
    containers(
        "run", *SEALED, "--tmpfs", "/dev/shm:size=512m", "--volume", f"{folder}:/output",
        faces_image, "--lossless", "--no-web",
    )  # fmt: skip
    assert (folder / "faces.jsonl").read_text() == (expected / "faces.jsonl").read_text()


def test_health(containers: Podman, faces_image: str) -> None:
    containers(
        "run", "--detach", "--name", "well", *SEALED[1:], "--tmpfs", "/dev/shm:size=512m",
        faces_image, "--set", "restart=always",
    )  # fmt: skip
    try:
        deadline = time.monotonic() + PATIENCE
        ask = ("exec", "well", "python3", "-m", "holoflow.cli.container", "health", "--ready")
        while (ready := containers(*ask, check=False)).returncode != 0:
            assert time.monotonic() < deadline, ready.stdout + ready.stderr
        assert containers("healthcheck", "run", "well", check=False).returncode == 0
        state = json.loads(containers("inspect", "well").stdout)[0]["State"]
        os.kill(state["Pid"], signal.SIGSTOP)
        try:
            hung = containers("healthcheck", "run", "well", check=False)
        finally:
            os.kill(state["Pid"], signal.SIGCONT)
        assert hung.returncode != 0
    finally:
        containers("rm", "--force", "--time", "0", "well")


# -- registries --------------------------------------------------------------------------------


@pytest.fixture
def registry(tmp_path: Path):
    """A registry of images on this machine."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = tmp_path / "registry.yml"
    config.write_text(
        "version: 0.1\n"
        f"storage: {{filesystem: {{rootdirectory: {tmp_path}/registry}}}}\n"
        f"http: {{addr: '127.0.0.1:{port}'}}\n"
    )
    with (tmp_path / "registry.log").open("w") as log:
        process = subprocess.Popen(
            ["docker-registry", "serve", str(config)], stdout=log, stderr=log
        )
    try:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except ConnectionRefusedError:
                assert time.monotonic() < deadline, (tmp_path / "registry.log").read_text()
                time.sleep(0.05)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(PATIENCE)


def test_made_again_pushed_and_pulled(
    containers: Podman, hello_image: str, registry: str, tmp_path: Path
) -> None:
    tag, context = f"{registry}/ours/hello:1", tmp_path / "context"
    made = containers.run(
        HOLOFLOW, "package", "hello", "--tag", tag, "--base", BASE, "--tool", "podman", "--push",
        "--offline", "--keep", str(context),
    )  # fmt: skip
    assert re.search(rf"built {tag}: \d.* MB, of these \d.* MB the base", made.stdout)
    assert f"pushed {tag}" in made.stdout
    # The same app gives the same layers.
    assert layers(containers, tag) == layers(containers, hello_image)
    containers("rmi", tag)
    containers("pull", "--quiet", "--tls-verify=false", tag)
    assert layers(containers, tag) == layers(containers, hello_image)
    assert "is valid" in containers("run", *SEALED, tag, "check").stdout
    linter = Path(sys.executable).with_name("hadolint")
    assert subprocess.run([linter, str(context / "Containerfile")]).returncode == 0


# -- what goes wrong ---------------------------------------------------------------------------


def tiny(folder: Path, operator: str = "", rest: str = "") -> Path:
    """Write an app of next to nothing; `operator` is put into its Python file."""
    app = folder / "tiny"
    app.mkdir()
    (app / "ops.py").write_text(
        "from collections.abc import Iterator\nfrom holoflow import Operator\n"
        f"class CountOp(Operator):\n    def frames(self) -> Iterator[int]:\n{operator}"
        "        yield from range(3)\n"
    )
    (app / "app.yaml").write_text(
        f"app: tiny\noperators:\n  count: {{type: './ops.py:CountOp'}}\n{rest}"
    )
    return app


def refused(containers: Podman, *arguments: str, **environment: str) -> str:
    """Package what cannot be packaged: no traceback, no image; return what is said."""
    before = containers("images", "--all", "--quiet").stdout
    command = [HOLOFLOW, "package", *arguments, "--tag", "localhost/none:1"]
    ran = subprocess.run(
        command, env=containers.environment | environment, capture_output=True, text=True
    )
    assert ran.returncode == 2, ran.stdout + ran.stderr
    assert "Traceback" not in ran.stderr
    assert containers("images", "--all", "--quiet").stdout == before
    assert containers("ps", "--all", "--storage", "--quiet").stdout == ""
    return ran.stderr


def options(base: str = BASE) -> list[str]:
    return ["--base", base, "--tool", "podman"]


def test_an_app_that_does_not_check(containers: Podman, tmp_path: Path) -> None:
    said = refused(containers, str(tiny(tmp_path, rest="  x: {type: nosuch}\n")), *options())
    assert "app.yaml:4" in said


def test_nothing_to_build_with(containers: Podman, tmp_path: Path) -> None:
    said = refused(containers, str(tiny(tmp_path)), "--base", BASE, PATH=str(tmp_path))
    assert "apt-get install podman" in said


def test_a_base_that_cannot_be_pulled(containers: Podman, tmp_path: Path) -> None:
    said = refused(containers, str(tiny(tmp_path)), *options("localhost:1/no/such:1"))
    assert "the base 'localhost:1/no/such:1' cannot be pulled" in said


def test_an_asset_that_is_another(containers: Podman, tmp_path: Path) -> None:
    asset = tmp_path / "model.onnx"
    asset.write_bytes(b"model")
    right = hashlib.sha256(b"another").hexdigest()
    rest = (
        "  show: {type: io.json_lines, inputs: {n: count}, with: {path: '${m}'}}\n"
        "vars: {m: 'asset:model'}\n"
        f"assets: {{model: {{from: 'file:{asset}', sha256: {right}}}}}\n"
    )
    said = refused(containers, str(tiny(tmp_path, rest=rest)), *options())
    assert "model" in said
    assert right[:8] in said


def test_a_library_that_nobody_declared(
    containers: Podman, hello_image: str, tmp_path: Path
) -> None:
    app = tiny(tmp_path, operator="        import scipy.signal\n")
    said = refused(containers, str(app), *options(), "--offline")
    assert "no image was made" in said
    assert "scipy" in said
    assert "requirements.txt" in said


def test_a_base_with_another_python(containers: Podman, tmp_path: Path) -> None:
    other = "3.12" if PYTHON != "3.12" else "3.11"
    said = refused(containers, str(tiny(tmp_path)), *options(), "--python", other)
    assert f"has Python {PYTHON}, not {other}" in said


def test_a_full_disk(containers: Podman, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "none", str(small)], check=True)
    try:
        said = refused(containers, str(tiny(tmp_path)), *options(), TMPDIR=str(small))
    finally:
        subprocess.run(["umount", str(small)], check=True)
    assert "No space left on device" in said


def test_the_recipe_alone(tmp_path: Path) -> None:
    ran = subprocess.run(
        [HOLOFLOW, "package", "faces/apart", "--dry-run"],
        cwd=tmp_path, capture_output=True, text=True, env=os.environ | {"PATH": str(tmp_path)},
    )  # fmt: skip
    assert ran.returncode == 0
    assert ran.stdout.startswith("# Container recipe of the app faces-apart")
    assert list(tmp_path.iterdir()) == []
    assert (REPOSITORY / "deploy/templates/Containerfile.tmpl").is_file()
