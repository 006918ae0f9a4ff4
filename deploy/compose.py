"""A Compose file for the services of an app."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count

from holoflow.deploy.document import Data, commented, to_yaml
from holoflow.deploy.services import GRACE, OUTPUT, TMP, Deployment, Mount, Service

HEALTH = ("python3", "-m", "holoflow.cli.container", "health")
"""Health check: whether a container is alive; with `--ready`, whether it is working."""
KEYS = "holoflow-keys"
"""Name of the key file in a container, below /run/secrets."""

_HEADING = """{title}
Made by: holoflow deploy compose

docker compose up                    or podman-compose, nerdctl compose
docker compose logs                  has the address of a page, with its token; from this
                                     machine it is at 127.0.0.1, whatever it says
docker compose cp SERVICE:{output} .   what a service has written
docker compose down                  sources end, what is under way is worked off; then all ends

The services may start in any order, and so need no depends_on: each waits for those that it
talks to, also when one comes back."""


def compose(deployment: Deployment, image: str, source: Mount | None = None) -> str:
    """Return the Compose file of `deployment`.

    The keys of a service are in `keys/SERVICE.json` beside the file.

    Args:
        deployment: The services.
        image: The image that all of them run.
        source: What all of them can read from the host.
    """
    services = deployment.services
    published = _publish(services)
    secret = [service for service in services if service.encrypted]
    comments = dict.fromkeys(("services", "volumes", "networks"), "\n")
    if secret:
        comments["secrets"] = "\nEach has its own key and the public keys of those it talks to."
    document: dict[str, Data] = {
        "name": deployment.app,
        "services": commented(
            {s.name: _service(s, image, source, published[s.name]) for s in services},
            {s.name: f"\n{_summary(s)}" for s in services},
        ),
    }
    if secret:
        document["secrets"] = {f"{s.name}-keys": {"file": f"./keys/{s.name}.json"} for s in secret}
    document["volumes"] = {f"{s.name}-output": {} for s in services}
    document["networks"] = {"links": {}}
    heading = _HEADING.format(title=deployment.title, output=OUTPUT)
    return to_yaml(commented(document, comments), heading)


def _service(
    service: Service, image: str, source: Mount | None, published: Mapping[int, int]
) -> Data:
    made: dict[str, Data] = {
        "image": image,
        "command": [_escaped(text) for text in service.arguments],
        "hostname": service.name,
        "restart": _restart(service),
        "stop_grace_period": f"{GRACE}s",
    }
    comments = {}
    if not service.arguments:
        del made["command"]
    made["networks"] = ["links"]
    if published:
        made["ports"] = [f"127.0.0.1:{on_host}:{port}" for port, on_host in published.items()]
        comments["ports"] = "From this machine alone: " + ", ".join(
            port.name for port in service.ports if port.number in published
        )
    if service.encrypted:
        made["secrets"] = [{"source": f"{service.name}-keys", "target": KEYS}]
    made["volumes"] = [{"type": "volume", "source": f"{service.name}-output", "target": OUTPUT}]
    if source is not None:
        made["volumes"].append(
            {
                "type": "bind",
                "source": _escaped(str(source.path)),
                "target": source.target,
                "read_only": True,
            }
        )
    if service.devices:
        made["devices"] = [f"{path}:{path}" for path in service.devices]
        made["group_add"] = ["video"]
        comments["group_add"] = "The owner of these devices; give its number if the image lacks it."
    if service.shared_memory is not None:
        made["shm_size"] = megabytes(service.shared_memory)
        comments["shm_size"] = (
            "For links between its fragments, enough for images of 1080p; taken as it is used."
        )
    if service.cores:
        made["cpuset"] = ",".join(map(str, service.cores))
    if service.memory is not None:
        made["mem_limit"] = megabytes(service.memory)
        comments["mem_limit"] = "Its fragments' memory:, shared memory, /tmp and the launcher."
    if service.gpus:
        made["deploy"] = {"resources": {"reservations": {"devices": [_gpus(service)]}}}
    made["read_only"] = True
    made["tmpfs"] = [f"/tmp:size={megabytes(TMP)},mode=1777"]  # noqa: S108 - inside the container
    made["cap_drop"] = ["ALL"]
    made["security_opt"] = ["no-new-privileges:true"]
    made["healthcheck"] = {
        "test": ["CMD", *HEALTH],
        "interval": "30s",
        "timeout": "10s",
        "retries": 3,
        "start_period": "30s",
    }
    return commented(made, comments)


def megabytes(size: int) -> str:
    """Return bytes as Compose expects them, rounded up to whole megabytes."""
    return f"{-(-size >> 20)}m"


def _summary(service: Service) -> str:
    what = " and ".join(service.fragments) or "The whole app"
    what = f"Fragment{'s' * (len(service.fragments) > 1)} {what}" if service.fragments else what
    talks = f"; talks to {', '.join(service.peers)}" if service.peers else ""
    return f"{what}{talks}{', encrypted' if service.encrypted else ''}."


def _publish(services: Sequence[Service]) -> dict[str, dict[int, int]]:
    """Return, for each service, the host's port for each port of a page or for Prometheus.

    It has the same number, or the next one that no other service uses.
    """
    taken: set[int] = set()
    found: dict[str, dict[int, int]] = {}
    for service in services:
        found[service.name] = {}
        for port in service.ports:
            if port.kind != "link":
                free = next(number for number in count(port.number) if number not in taken)
                taken.add(free)
                found[service.name][port.number] = free
    return found


def _restart(service: Service) -> str:
    if service.restart == "on-failure":
        return f"on-failure:{service.restarts}"
    return "always" if service.restart == "always" else "no"


def _gpus(service: Service) -> Data:
    return {
        "driver": "nvidia",
        "device_ids": [str(number) for number in service.gpus],
        "capabilities": ["gpu"],
    }


def _escaped(text: str) -> str:
    """Return `text` with `$` escaped, so that Compose substitutes nothing in it."""
    return text.replace("$", "$$")
