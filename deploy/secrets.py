"""The keys of services: each has its own pair and the public keys of those it talks to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from holoflow.core.errors import HoloflowError
from holoflow.deploy import keyfile
from holoflow.deploy.output import File
from holoflow.deploy.services import Service
from holoflow.link.keys import OwnKeys


@dataclass(frozen=True)
class Secrets:
    """The key files of a deployment."""

    files: Mapping[str, str]
    """Their texts by service; a service without encrypted links has none."""
    made: tuple[str, ...]
    """Services with a new pair."""
    kept: tuple[str, ...]
    """Services that keep their pair."""


def secrets(services: Sequence[Service], before: Mapping[str, str]) -> Secrets:
    """Return the key files that `services` need.

    Args:
        services: The services.
        before: Texts of earlier key files by service, whose pairs are kept.

    Raises:
        HoloflowError: A text is not the key file of its service; it is not overwritten.
    """
    needing = [service for service in services if service.encrypted]
    hosts = {service.name: service.host for service in services}
    kept = {s.name: _own(s, before[s.name]) for s in needing if s.name in before}
    made = {s.name: keyfile.new_pair(s.host) for s in needing if s.name not in before}
    pairs = kept | made
    files = {
        s.name: keyfile.write(pairs[s.name], {hosts[name]: pairs[name].public for name in s.trusts})
        for s in needing
    }
    return Secrets(files, tuple(made), tuple(kept))


def key_file(service: str) -> str:
    """Return the path of a service's key file in the folder that is written."""
    return f"keys/{service}.json"


def key_files(texts: Mapping[str, str]) -> list[File]:
    """Return files with the `texts` of key files by service.

    Each file is mounted into a container, whose user must be able to read it and is unknown to the
    host; other users of the host are kept out by the folder.
    """
    return [
        File(key_file(name), text, mode=0o644, folder_mode=0o700) for name, text in texts.items()
    ]


def _own(service: Service, text: str) -> OwnKeys:
    own = keyfile.parse(text, f"the key file of the service {service.name!r}").own
    if own.name != service.host:
        raise HoloflowError(
            f"the key file of the service {service.name!r} belongs to {own.name!r}",
            "move it away, and a new one will be made",
        )
    return own
