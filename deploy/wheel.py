"""Wheels of the holoflow that runs here and of plugins, however they were installed.

Equal contents give equal bytes.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
import os
import re
import zipfile
from collections.abc import Collection, Iterator
from importlib import metadata
from pathlib import Path

import holoflow

_TIME = (1980, 1, 1, 0, 0, 0)
_LEFT_OUT = ("__pycache__", "apps")
"""Folders that images do not need: an app brings its own."""
_COMPILED = (".so", ".pyd", ".dylib")
_WHEEL = "Wheel-Version: 1.0\nGenerator: holoflow\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def write_wheel(folder: Path) -> Path:
    """Write the wheel of holoflow into `folder` and return its path."""
    distribution = metadata.distribution("holoflow")
    files = dict(_files(Path(holoflow.__file__).parent, "holoflow", _LEFT_OUT))
    return _write(distribution, files, folder)


def write_plugin(name: str, folder: Path) -> Path | None:
    """Write a wheel of the installed package `name` into `folder` and return its path.

    It contains the installed files or, for an editable package, its current files. The result is
    None, and nothing is written, for a package with compiled parts, which only fit this machine.
    """
    distribution = metadata.distribution(name)
    files = dict(_editable(distribution) if _is_editable(distribution) else _recorded(distribution))
    if any(file.endswith(_COMPILED) for file in files):
        return None
    return _write(distribution, files, folder)


def _write(distribution: metadata.Distribution, files: dict[str, bytes], folder: Path) -> Path:
    name = re.sub(r"[-_.]+", "_", distribution.metadata["Name"]).lower()
    version = distribution.version
    info = f"{name}-{version}.dist-info"
    for text in ("METADATA", "entry_points.txt"):
        files[f"{info}/{text}"] = (distribution.read_text(text) or "").encode()
    files[f"{info}/WHEEL"] = _WHEEL.encode()
    record = [f"{file},{_digest(data)},{len(data)}" for file, data in files.items()]
    files[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,", ""]).encode()
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file, data in files.items():
            entry = zipfile.ZipInfo(file, _TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, data)
    return path


def _is_editable(distribution: metadata.Distribution) -> bool:
    origin = json.loads(distribution.read_text("direct_url.json") or "{}")
    return bool(origin.get("dir_info", {}).get("editable"))


def _editable(distribution: metadata.Distribution) -> Iterator[tuple[str, bytes]]:
    """Yield the files of the packages to which the distribution's entry points lead."""
    modules = {point.value.partition(":")[0].strip() for point in distribution.entry_points}
    for top in sorted({module.partition(".")[0] for module in modules}):
        spec = importlib.util.find_spec(top)
        if spec is None:
            continue
        for place in spec.submodule_search_locations or ():
            yield from _files(Path(place), top, ("__pycache__",))
        if spec.submodule_search_locations is None and spec.origin is not None:
            yield f"{top}.py", Path(spec.origin).read_bytes()


def _recorded(distribution: metadata.Distribution) -> Iterator[tuple[str, bytes]]:
    """Yield the installed files without scripts, ordered by name."""
    for file in sorted(distribution.files or (), key=str):
        inside = not file.parts[0].endswith(".dist-info") and ".." not in file.parts
        if inside and "__pycache__" not in file.parts:
            yield file.as_posix(), Path(str(file.locate())).read_bytes()


def _files(package: Path, name: str, left_out: Collection[str]) -> Iterator[tuple[str, bytes]]:
    """Yield the files of the package `name`; targets of its links belong to it."""
    for folder, folders, names in os.walk(package, followlinks=True):
        folders[:] = sorted(set(folders) - set(left_out))
        for file in sorted(names):
            path = Path(folder, file)
            yield f"{name}/{path.relative_to(package).as_posix()}", path.read_bytes()


def _digest(data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"sha256={digest}"
