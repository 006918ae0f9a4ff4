"""The app's folder: what of it goes into an image."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from holoflow.core.errors import HoloflowError, optional
from holoflow.core.text import size as shown_size
from holoflow.deploy.needs import WHEELS

IGNORE: Final = (".containerignore", ".dockerignore")
"""Files that say, as git's do, what of a folder stays out."""
LARGEST: Final = 500_000_000
"""Bytes of an app without its assets: more is a mistake, most likely a folder of recordings."""

_USUAL: Final = (
    ".*", "__pycache__/", "*.pyc", "/runs/", "/test_*.py", "/tests/", "/README.md", "/conftest.py",
    f"/{WHEELS}/", "keys/", "secrets.yaml",
    # What lets in who has it.
    "id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", "*.pem", "*.key", "*.p12", "*.pfx", "*.kdbx",
)  # fmt: skip


def copy_app(folder: Path, target: Path) -> int:
    """Copy what the app in `folder` needs to `target`, a new folder; return its bytes.

    Left out are tests, runs, hidden files, the README, keys, and what `.containerignore` names.
    Raises HoloflowError where that is too much, or a link leads out of the folder.
    """
    files = list(app_files(folder))
    total = sum((folder / name).stat().st_size for name in files)
    if total > LARGEST:
        largest = max(files, key=lambda name: (folder / name).stat().st_size)
        raise HoloflowError(
            f"the folder of the app, {folder}, has {shown_size(total)} ({largest} is the largest)",
            f"all of it would go into the image: put the app into a folder of its own, or name "
            f"what stays out in {folder / IGNORE[0]}",
        )
    for name in files:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / name, target / name)
        executable = (folder / name).stat().st_mode & 0o111
        (target / name).chmod(0o755 if executable else 0o644)
    return total


def app_files(folder: Path) -> Iterator[str]:
    """Yield the files of `folder` that go into an image, as paths from there, sorted."""
    ignored = _ignored(folder)
    for at, folders, names in os.walk(folder):
        here = Path(at).relative_to(folder)
        kept = (name for name in folders if not ignored.match_file(f"{here / name}/"))
        folders[:] = sorted(kept)
        for name in sorted(names):
            path = (here / name).as_posix()
            if not ignored.match_file(path) and Path(at, name).is_file():
                _require_inside(folder, path)
                yield path


def _require_inside(folder: Path, name: str) -> None:
    there = (folder / name).resolve()
    if not there.is_relative_to(folder.resolve()):
        raise HoloflowError(
            f"{folder / name} is a link that leads out of the folder of the app, to {there}: "
            f"put the file itself there, or name the link in {folder / IGNORE[0]}"
        )


def _ignored(folder: Path) -> Any:
    lines = list(_USUAL)
    for name in IGNORE:
        if (folder / name).is_file():
            lines += (folder / name).read_text(encoding="utf-8").splitlines()
    return optional("pathspec", "package").GitIgnoreSpec.from_lines(lines)
