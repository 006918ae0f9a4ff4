"""Packages with entry points, written as pip installs them: modules and a dist-info folder."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from holoflow.app import plugins

OPERATOR = '''
from dataclasses import dataclass

from holoflow import Image, Operator, param


@dataclass(frozen=True)
class Reading:
    mean: float


class MeasureOp(Operator):
    """Measure how bright an image is."""

    step: int = param(1, ge=1, doc="rows")

    def process(self, image: Image) -> Reading:
        return Reading(float(image.data[:: self.step].mean()))
'''


def install(
    site: Path,
    name: str,
    entries: Mapping[str, Mapping[str, str]],
    files: Mapping[str, str],
    *,
    version: str = "0.1",
    requires: str = "holoflow>=0.1",
) -> Path:
    """Write a package to `site`: its `files`, and metadata with `entries` by group."""
    text = ""
    for group, points in entries.items():
        text += f"[holoflow.{group}]\n" + "".join(f"{n} = {v}\n" for n, v in points.items())
    info = f"{name.replace('-', '_')}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    whole = {
        **files,
        f"{info}/METADATA": f"{metadata}Requires-Dist: {requires}\n",
        f"{info}/entry_points.txt": text,
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    whole[f"{info}/RECORD"] = "".join(f"{file},,\n" for file in [*whole, f"{info}/RECORD"])
    for file, content in whole.items():
        (site / file).parent.mkdir(parents=True, exist_ok=True)
        (site / file).write_text(content, encoding="utf-8")
    plugins.forget()
    return site / info


@contextmanager
def on_path(site: Path) -> Iterator[None]:
    """Have what is installed in `site` found, and nothing of it left in memory afterwards."""
    before = set(sys.modules)
    sys.path.insert(0, str(site))
    plugins.forget()
    try:
        yield
    finally:
        sys.path.remove(str(site))
        for name in set(sys.modules) - before:
            file = getattr(sys.modules[name], "__file__", None)
            if file is not None and Path(file).is_relative_to(site):
                del sys.modules[name]
        plugins.forget()
