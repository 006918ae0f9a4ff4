"""What an image says about itself: `/etc/holoflow/app.json`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from holoflow.app.graph import App
from holoflow.deploy.contents import FORMAT, VERSION
from holoflow.deploy.needs import Needs
from holoflow.deploy.target import Target
from holoflow.operators.visualize.web import USUAL_PORT, WebOp
from holoflow.plan.draw.formats import describe
from holoflow.plan.hosts import FIRST_PORT
from holoflow.plan.plan import Plan

METRICS_PORT = 9464


@dataclass(frozen=True)
class ImagePort:
    """A TCP port at which something in the image can listen."""

    port: int
    name: str
    """`page`, `link` or `metrics`."""
    operator: str = ""
    fragment: str = ""


@dataclass(frozen=True)
class Origin:
    """What an image was made from."""

    file: str
    """The app's YAML file, in its folder."""
    settings: Mapping[str, str]
    """Settings of `--set`."""
    base: str
    target: Target
    needs: Needs
    versions: Mapping[str, str] = field(default_factory=dict)
    """Versions of all libraries."""
    sizes: Mapping[str, int] = field(default_factory=dict)
    """Bytes of the assets, by name."""


def manifest(plan: Plan, origin: Origin) -> dict[str, Any]:
    """Return the manifest as JSON-compatible values."""
    app = plan.app
    return {
        "format": FORMAT,
        "version": VERSION,
        "app": {
            "name": app.name,
            "version": app.version,
            "file": origin.file,
            "description": app.description,
        },
        "settings": dict(origin.settings),
        "graph": describe(plan),
        "fragments": list(app.fragments),
        "resources": {
            name: {
                "gpu": fragment.gpu,
                "cores": list(fragment.cores),
                "memory": fragment.memory,
                "exclusive": fragment.exclusive,
            }
            for name, fragment in app.fragments.items()
        },
        "ports": [asdict(port) for port in ports_of(app)],
        "assets": {
            name: {"sha256": asset.sha256, "size": origin.sizes.get(name)}
            for name, asset in app.assets.items()
            if name in origin.sizes
        },
        "versions": {"python": origin.target.python, **origin.versions},
        "apt": list(origin.needs.apt),
        "platform": origin.target.platform,
        "base": origin.base,
    }


def ports_of(app: App) -> tuple[ImagePort, ...]:
    """Return the ports of pages, links and metrics of `app`, if all of it runs in one container."""
    return (*_pages(app), *_links(app), ImagePort(METRICS_PORT, "metrics"))


def _pages(app: App) -> Iterator[ImagePort]:
    homes = {op: name for name, f in app.fragments.items() for op in f.operators}
    for node in app.operators.values():
        if issubclass(node.cls, WebOp):
            page = node.cls.from_app(node.parameters)
            assert isinstance(page, WebOp)  # noqa: S101 - for the type checker
            yield ImagePort(page.port or USUAL_PORT, "page", node.name, homes.get(node.name, ""))


def _links(app: App) -> Iterator[ImagePort]:
    if len(app.fragments) > 1:
        for place, fragment in enumerate(app.fragments.values()):
            yield ImagePort(fragment.port or FIRST_PORT + place, "link", fragment=fragment.name)
