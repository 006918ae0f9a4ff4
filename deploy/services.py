"""What is deployed, as values: services, and how `holoflow run` is called in each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from holoflow.app.format import RestartPolicy
from holoflow.app.graph import Fragment

GRACE = 30
"""Seconds that a service has to work off what is under way, once it is told to stop."""
TMP = 256 << 20
"""Bytes that may be written to `/tmp`, which lies in memory."""
OUTPUT = "/output"
"""What a container writes."""
INPUT = "/input"
"""Where a container finds what is given to it to read."""


@dataclass(frozen=True)
class Mount:
    """A file or folder of the host that containers can read."""

    path: Path
    """On the host, absolute."""
    target: str
    """In the container: `/input` for a folder, `/input/NAME` for a file."""

    def outside(self, text: str) -> str:
        """Return a path in the container as it is on the host, and anything else as it is."""
        if text == self.target or text.startswith(f"{self.target}/"):
            return f"{self.path}{text[len(self.target) :]}"
        return text


@dataclass(frozen=True)
class RunCommand:
    """How `holoflow run` is to be called."""

    settings: Mapping[str, str] = field(default_factory=dict)
    """Of `--set`."""
    arguments: tuple[str, ...] = ()
    """Further ones, passed on as they are."""
    metrics: bool = False
    web: bool = True
    ends: bool = False
    """Whether it ends by itself, after so many frames or seconds."""
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
    """By which name the others reach it: its own in containers, else what the app says."""
    fragments: tuple[str, ...]
    """In the order of the app; empty for an app without any."""
    arguments: tuple[str, ...]
    """Of `holoflow run`, after the app."""
    gpus: tuple[int, ...] = ()
    """Numbers of the GPUs on its host."""
    cores: tuple[int, ...] = ()
    """CPU cores on its host; empty leaves it to the system."""
    memory: int | None = None
    """Bytes that all of it may use, shared memory too; None is no limit."""
    shared_memory: int | None = None
    """Bytes for links between its fragments; None where there are no such."""
    ports: tuple[ServicePort, ...] = ()
    peers: tuple[str, ...] = ()
    """Services that it sends to or receives from."""
    trusts: tuple[str, ...] = ()
    """Those of them of which it must know the public key."""
    restart: RestartPolicy = Fragment.restart
    restarts: int = 0
    """How often in a row."""
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
    """The app's name as it is written, and what it does."""
    services: tuple[Service, ...]
    notices: tuple[str, ...] = ()
    """What is allowed but may surprise, a sentence each."""
