"""The build context: a folder with all that an image is made of."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from holoflow.app.assets import fetch_all, used_assets
from holoflow.assets.fetching import cache_folder, cached_path
from holoflow.assets.source import Asset
from holoflow.deploy.folder import copy_app
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
    """What an image is to be made of."""

    plan: Plan
    settings: Mapping[str, str]
    base: str
    target: Target
    gpu: bool
    """Whether what only works with a GPU belongs to it."""
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
    """A build context that has been written."""

    folder: Path
    libraries: int
    wheels: int
    """Bytes of the libraries, packed."""
    app: int
    """Bytes of the app's own files."""
    assets: int
    """Bytes of the assets."""


def described(wanted: Wanted) -> dict[str, Any]:
    """Return the manifest as far as it is known before anything is fetched."""
    return manifest(wanted.plan, _origin(wanted))


def write_context(wanted: Wanted, folder: Path) -> Context:
    """Write all that the image is made of into `folder`, an empty one.

    Libraries and assets are fetched into caches where they are not there yet; `offline` allows
    none of that. Raises HoloflowError where something cannot be had.
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
    # What is installed may change without its version.
    _keep([wheel for wheel in wheels if wheel not in (own, *plugins)])

    written = manifest(wanted.plan, replace(origin, versions=versions(locked)))
    (folder / "app.json").write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")
    (folder / RECIPE).write_text(recipe(written), encoding="utf-8")
    packed = sum(wheel.stat().st_size for wheel in wheels)
    return Context(folder, len(wheels), packed, copied, sum(sizes.values()))


def wheel_cache() -> Path:
    """Return where wheels are kept for the next image; makes the folder."""
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
    """Put the assets that the app uses into a cache at `folder`; return their sizes by name."""
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
