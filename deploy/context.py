"""The build context: a folder with everything that an image is made of."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from holoflow.app.assets import fetch_all, used_assets
from holoflow.assets.fetching import cache_folder, cached_path
from holoflow.assets.source import Asset
from holoflow.core.errors import HoloflowError, optional
from holoflow.core.text import size as shown_size
from holoflow.deploy.lock import gather, lock, versions
from holoflow.deploy.manifest import Origin, manifest
from holoflow.deploy.needs import WHEELS, needs_of
from holoflow.deploy.recipe import RECIPE, recipe
from holoflow.deploy.target import Target
from holoflow.deploy.wheel import write_plugin, write_wheel
from holoflow.plan.plan import Plan

LOCK = "requirements.lock"


@dataclass(frozen=True)
class Wanted:
    """What to make an image of."""

    plan: Plan
    settings: Mapping[str, str]
    base: str
    target: Target
    gpu: bool
    """Whether to include what only works with a GPU."""
    offline: bool = False

    @property
    def file(self) -> Path:
        """The app's YAML file."""
        assert self.plan.app.path is not None  # noqa: S101 - it was read from a file
        return self.plan.app.path.absolute()

    @property
    def folder(self) -> Path:
        """The app's folder."""
        return self.file.parent


@dataclass(frozen=True)
class Context:
    """A written build context."""

    folder: Path
    libraries: int
    wheels: int
    """Bytes of the libraries' wheels."""
    app: int
    """Bytes of the app's own files."""
    assets: int
    """Bytes of the assets."""


def described(wanted: Wanted) -> dict[str, Any]:
    """Return the manifest, as far as it is known before anything is fetched."""
    return manifest(wanted.plan, _origin(wanted))


def write_context(wanted: Wanted, folder: Path) -> Context:
    """Write everything that the image is made of into the empty `folder`.

    Missing libraries and assets are fetched into caches, unless `wanted.offline` is set.

    Raises:
        HoloflowError: Something cannot be fetched or written.
    """
    for name in ("wheels", "assets", "app"):
        (folder / name).mkdir(parents=True)
    copied = copy_app(wanted.folder, folder / "app")
    sizes = _copy_assets(wanted, folder / "assets")
    origin = replace(_origin(wanted), sizes=sizes)

    own = write_wheel(folder / "wheels")
    plugins = [write_plugin(name, own.parent) for name in origin.needs.plugins]
    brought = wanted.folder / WHEELS
    sources = [own.parent, wheel_cache(), *([brought] if brought.is_dir() else [])]
    locked = lock(origin.needs, wanted.target, sources, offline=wanted.offline)
    (folder / LOCK).write_text(locked, encoding="utf-8")
    wheels = gather(locked, wanted.target, sources, folder / "wheels", offline=wanted.offline)
    # Installed packages may change without a change of version.
    _keep([wheel for wheel in wheels if wheel not in (own, *plugins)])

    written = manifest(wanted.plan, replace(origin, versions=versions(locked)))
    (folder / "app.json").write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")
    (folder / RECIPE).write_text(recipe(written), encoding="utf-8")
    packed = sum(wheel.stat().st_size for wheel in wheels)
    return Context(folder, len(wheels), packed, copied, sum(sizes.values()))


def wheel_cache() -> Path:
    """Return the folder in which wheels are kept for further images; it is created if missing."""
    folder = cache_folder() / "wheels"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _origin(wanted: Wanted) -> Origin:
    return Origin(
        file=wanted.file.name,
        settings=wanted.settings,
        base=wanted.base,
        target=wanted.target,
        needs=needs_of(wanted.plan, wanted.folder, gpu=wanted.gpu),
    )


def _copy_assets(wanted: Wanted, folder: Path) -> dict[str, int]:
    """Copy the assets that the app uses into a cache at `folder`; return their sizes by name."""
    fetch_all(wanted.plan.app)
    return {asset.name: _copy_asset(asset, folder) for asset in used_assets(wanted.plan.app)}


def _copy_asset(asset: Asset, folder: Path) -> int:
    source = cached_path(asset)
    target = folder / source.relative_to(cache_folder())
    target.parent.mkdir(exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(0o644)
    return target.stat().st_size


def _keep(wheels: list[Path]) -> None:
    cache = wheel_cache()
    for wheel in wheels:
        if not (cache / wheel.name).exists():
            half = cache / f".{wheel.name}.part"
            shutil.copyfile(wheel, half)
            half.replace(cache / wheel.name)


IGNORE: Final = (".containerignore", ".dockerignore")
"""Files that say, as git's do, what of a folder to leave out."""
LARGEST: Final = 500_000_000
"""Most bytes of an app without its assets: more is a mistake, such as a folder of recordings."""

_USUAL: Final = (
    ".*", "__pycache__/", "*.pyc", "/runs/", "/test_*.py", "/tests/", "/README.md", "/conftest.py",
    f"/{WHEELS}/", "keys/", "secrets.yaml",
    # Anyone who has these files has access.
    "id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", "*.pem", "*.key", "*.p12", "*.pfx", "*.kdbx",
)  # fmt: skip


def copy_app(folder: Path, target: Path) -> int:
    """Copy what the app in `folder` needs to `target`, a new folder, and return its bytes.

    Tests, runs, hidden files, the README, keys, and what `.containerignore` names are left out.

    Raises:
        HoloflowError: The app is too large, or a link leads out of the folder.
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
    """Yield the files of `folder` that go into an image, as relative paths, sorted."""
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
