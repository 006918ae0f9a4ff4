"""What is written to deploy an app is right in the eyes of those who will read it."""

from __future__ import annotations

import functools
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from kubernetes_validate import utils
from support.deployable import RUNS, apps
from typer.testing import CliRunner

from holoflow.cli.program import program
from holoflow.core.errors import HoloflowError
from holoflow.deploy.compose import compose
from holoflow.deploy.kubernetes import kubernetes, secrets
from holoflow.deploy.services import Mount
from holoflow.deploy.split import in_containers, on_machines
from holoflow.deploy.systemd import systemd

INPUT = Mount(Path("/data"), "/input")
few = settings(max_examples=15)


@pytest.fixture
def systemd_analyze():
    """The program of systemd that checks units; systemd itself need not run."""
    program = shutil.which("systemd-analyze")
    assert program, "this test needs systemd-analyze: apt-get install systemd"
    return program


def check_compose(path):
    """Have Compose read a file. Its Python wrapper would pass over its exit status."""
    spec = find_spec("compose")
    assert spec is not None
    assert spec.origin is not None
    program = Path(spec.origin).with_name("docker-compose")
    ran = subprocess.run([program, "-f", path, "config", "-q"], capture_output=True, text=True)
    assert (ran.returncode, ran.stderr) == (0, ""), path.read_text() + ran.stderr


def check_kubernetes(*paths):
    command = [sys.executable, "-m", "kubernetes_validate", "--strict", *paths]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout + ran.stderr


def deploy(*arguments):
    result = CliRunner().invoke(program, ["deploy", *arguments])
    assert result.exit_code == 0, result.output


@few
@given(made=apps(), run=RUNS)
def test_any_app_in_a_compose_file(made, run, tmp_path):
    try:
        deployment = in_containers(made, run)
    except HoloflowError:
        return
    path = tmp_path / "compose.yaml"
    path.write_text(compose(deployment, "faces:1", INPUT))
    check_compose(path)


def test_compose_refuses_what_is_wrong(tmp_path):
    path = tmp_path / "compose.yaml"
    path.write_text("services: {a: {image: x, restarts: no}}\n")
    with pytest.raises(AssertionError, match="restarts"):
        check_compose(path)


@pytest.fixture(scope="module")
def schemas():
    """Have the schemas of Kubernetes, which are large, be read once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(utils, "schema_contents", functools.cache(utils.schema_contents))
        yield


@few
@given(made=apps(), run=RUNS, storage=st.none() | st.integers(1, 1 << 40))
def test_any_app_in_kubernetes(schemas, made, run, storage):
    try:
        deployment = in_containers(made, run)
    except HoloflowError:
        return
    nodes = {deployment.services[0].name: "node-1"}
    text = kubernetes(deployment, "faces:1", INPUT, nodes=nodes, storage=storage)
    text += secrets(deployment, {service.name: "{}" for service in deployment.services[:1]})
    for document in yaml.safe_load_all(text):
        if document is not None:
            utils.validate(document, utils.latest_version(), strict=True)


@pytest.mark.parametrize("app", ["faces/apart", "hello"])
def test_apps_that_ship_in_a_compose_file(app, tmp_path):
    deploy("compose", app, "--image=a:1", "--metrics", "-o", str(tmp_path))
    check_compose(tmp_path / "compose.yaml")


def test_apps_that_ship_in_kubernetes(tmp_path):
    for app in ("faces/apart", "hello"):
        deploy("kubernetes", app, "--image=a:1", "--storage=1GiB", "-o", str(tmp_path / app))
    told = check_kubernetes(*sorted(tmp_path.rglob("*.yaml")))
    assert (told.count("pod/"), told.count("secret/")) == (4, 3)


@few
@given(made=apps(), run=RUNS)
def test_any_app_as_units(made, run, systemd_analyze, tmp_path):
    try:
        deployment = on_machines(made, run)
    except HoloflowError:
        return
    shutil.rmtree(tmp_path)
    tmp_path.mkdir()
    command = [sys.executable, "-m", "holoflow", "run"]
    paths = []
    for name, text in systemd(deployment, command, Path(__file__)).items():
        paths.append(tmp_path / name)
        paths[-1].write_text(text)
    ran = subprocess.run([systemd_analyze, "verify", *paths], capture_output=True, text=True)
    told = [line for line in ran.stderr.splitlines() if str(tmp_path) in line]
    assert (ran.returncode, told) == (0, []), ran.stderr + "".join(p.read_text() for p in paths)
