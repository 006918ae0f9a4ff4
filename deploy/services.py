"""Deployments as values: services, and how `holoflow run` is called in each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from holoflow.app.format import RestartPolicy
from holoflow.app.graph import Fragment

GRACE = 30
"""Seconds that a service has to finish what is under way once it is told to stop."""
TMP = 256 << 20
"""Most bytes that can be written to `/tmp`, which is in memory."""
OUTPUT = "/output"
"""Folder that a container writes to."""
INPUT = "/input"
"""Folder in which a container finds its input."""


@dataclass(frozen=True)
class Mount:
    """A file or folder of the host that containers can read."""

    path: Path
    """Path on the host, absolute."""
    target: str
    """Path in the container: `/input` for a folder, `/input/NAME` for a file."""

    def outside(self, text: str) -> str:
        """Return the host's path for a path in the container, and anything else unchanged."""
        if text == self.target or text.startswith(f"{self.target}/"):
            return f"{self.path}{text[len(self.target) :]}"
        return text


@dataclass(frozen=True)
class RunCommand:
    """How to call `holoflow run`."""

    settings: Mapping[str, str] = field(default_factory=dict)
    """Settings of `--set`."""
    arguments: tuple[str, ...] = ()
    """Further arguments, passed on unchanged."""
    metrics: bool = False
    web: bool = True
    ends: bool = False
    """Whether it ends by itself after a number of frames or seconds."""
    lossless: bool = False
    fuse: bool = True


@dataclass(frozen=True)
class ServicePort:
    """A TCP port at which a service is reached."""

    number: int
    name: str
    """`link-FRAGMENT`, `page-OPERATOR` or `metrics`."""
    kind: Literal["link", "page", "metrics"]


@dataclass(frozen=True)
class Service:
    """Fragments that run in one container, or as one unit of systemd."""

    name: str
    """A label in DNS."""
    host: str
    """Name by which the others reach it: its own in containers, else the host that the app
    names."""
    fragments: tuple[str, ...]
    """Its fragments, in the order of the app; empty for an app without fragments."""
    arguments: tuple[str, ...]
    """Arguments of `holoflow run` after the app."""
    gpus: tuple[int, ...] = ()
    """Numbers of the GPUs on its host."""
    cores: tuple[int, ...] = ()
    """CPU cores on its host; empty leaves it to the system."""
    memory: int | None = None
    """Most bytes of memory, including shared memory; None for no limit."""
    shared_memory: int | None = None
    """Bytes of shared memory for links between its fragments; None without such links."""
    ports: tuple[ServicePort, ...] = ()
    peers: tuple[str, ...] = ()
    """Services that it sends to or receives from."""
    trusts: tuple[str, ...] = ()
    """Those of its peers whose public key it must know."""
    restart: RestartPolicy = Fragment.restart
    restarts: int = 0
    """How often in a row it may be restarted."""
    devices: tuple[str, ...] = ()
    """Paths such as `/dev/video0`."""

    @property
    def encrypted(self) -> bool:
        """Whether any of its links is encrypted, so that it needs keys."""
        return bool(self.trusts)


@dataclass(frozen=True)
class Deployment:
    """An app as services."""

    app: str
    """The app's name, as a label in DNS."""
    title: str
    """The app's original name and its description."""
    services: tuple[Service, ...]
    notices: tuple[str, ...] = ()
    """What is allowed but may surprise, a sentence each."""
