from __future__ import annotations

import base64
import csv
import hashlib
import io
import zipfile
from pathlib import Path

from support.plugins import OPERATOR, install, on_path

from holoflow.app import load
from holoflow.deploy.needs import needs_of
from holoflow.deploy.wheel import write_plugin, write_wheel
from holoflow.plan import plan

APP = """\
app: seen
operators:
  scene: {type: capture.synthetic}
  measure: {type: eyes.measure, inputs: {image: scene.image}}
  results: {type: io.json_lines, inputs: {reading: measure}}
"""


def test_the_wheel_is_whole_and_the_same_each_time(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    first, second = write_wheel(tmp_path), write_wheel(tmp_path / "other")
    assert first.read_bytes() == second.read_bytes()
    with zipfile.ZipFile(first) as archive:
        names = archive.namelist()
        (record,) = (name for name in names if name.endswith("/RECORD"))
        for name, digest, size in csv.reader(io.StringIO(archive.read(record).decode())):
            data = archive.read(name)
            if name != record:
                found = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=")
                assert (digest, size) == (f"sha256={found.decode()}", str(len(data)))
    for needed in ("operators/capture/video.py", "fragments/camera.yaml", "cli/container.py",
                   "cli/program.py", "py.typed"):  # fmt: skip
        assert f"holoflow/{needed}" in names
    assert not [name for name in names if name.startswith("holoflow/apps/") or ".pyc" in name]


def test_a_plugin_with_compiled_parts_is_left_to_the_package_index(tmp_path: Path) -> None:
    site = tmp_path / "site"
    entries = {"operators": {"fast.sum": "fast:SumOp"}}
    install(site, "holoflow-fast", entries, {"fast.py": "", "_fast.cpython-311.so": ""})
    install(site, "holoflow-plain", {"operators": {"plain.sum": "plain:SumOp"}}, {"plain.py": ""})
    with on_path(site):
        assert write_plugin("holoflow-fast", tmp_path) is None
        assert write_plugin("holoflow-plain", tmp_path) is not None
    assert [wheel.name for wheel in tmp_path.glob("*.whl")] == [
        "holoflow_plain-0.1-py3-none-any.whl"
    ]


def test_an_image_has_the_plugin_of_an_operator_and_of_an_app(tmp_path: Path) -> None:
    site = tmp_path / "site"
    for name in ("ears", "eyes"):
        install(
            site,
            f"holoflow-{name}",
            {
                "operators": {f"{name}.measure": f"{name}.ops:MeasureOp"},
                "apps": {name: f"{name}.apps"},
            },
            {f"{name}/__init__.py": "", f"{name}/ops.py": OPERATOR, f"{name}/apps/app.yaml": APP},
        )
    with on_path(site):
        path = site / "ears" / "apps" / "app.yaml"
        needs = needs_of(plan(load(path)), path.parent, gpu=False)
    assert needs.plugins == ("holoflow-ears", "holoflow-eyes")
    assert needs.requirements == ("holoflow-ears==0.1", "holoflow-eyes==0.1")
