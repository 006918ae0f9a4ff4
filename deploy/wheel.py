"""A wheel of the holoflow that runs here, however it was installed; equal bytes each time."""

from __future__ import annotations

import base64
import hashlib
import os
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import holoflow

_TIME = (1980, 1, 1, 0, 0, 0)
_LEFT_OUT = ("__pycache__", "apps")
"""Folders that no image needs: an app brings its own."""
_WHEEL = "Wheel-Version: 1.0\nGenerator: holoflow\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def write_wheel(folder: Path) -> Path:
    """Write the wheel into `folder` and return its path."""
    distribution = metadata.distribution("holoflow")
    version = distribution.version
    info = f"holoflow-{version}.dist-info"
    files = dict(_files(Path(holoflow.__file__).parent))
    files[f"{info}/METADATA"] = (distribution.read_text("METADATA") or "").encode()
    files[f"{info}/entry_points.txt"] = (distribution.read_text("entry_points.txt") or "").encode()
    files[f"{info}/WHEEL"] = _WHEEL.encode()
    record = [f"{name},{_digest(data)},{len(data)}" for name, data in files.items()]
    files[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,", ""]).encode()
    path = folder / f"holoflow-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, _TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, data)
    return path


def _files(package: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the files of the package; what links in it lead to belongs to it."""
    for folder, folders, names in os.walk(package, followlinks=True):
        folders[:] = sorted(set(folders) - set(_LEFT_OUT))
        for name in sorted(names):
            path = Path(folder, name)
            yield f"holoflow/{path.relative_to(package).as_posix()}", path.read_bytes()


def _digest(data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"sha256={digest}"
