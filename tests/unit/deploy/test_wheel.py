from __future__ import annotations

import base64
import csv
import hashlib
import io
import zipfile
from pathlib import Path

from holoflow.deploy.wheel import write_wheel


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
    for needed in ("operators/capture/video.py", "fragments/camera.yaml", "deploy/image.py",
                   "cli/program.py", "py.typed"):  # fmt: skip
        assert f"holoflow/{needed}" in names
    assert not [name for name in names if name.startswith("holoflow/apps/") or ".pyc" in name]
