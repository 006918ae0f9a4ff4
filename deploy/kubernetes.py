"""Kubernetes manifests for the services of an app: a Pod for each, with what it needs."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from holoflow.core.errors import HoloflowError
from holoflow.deploy.compose import HEALTH, KEYS
from holoflow.deploy.document import Data, commented, to_yaml
from holoflow.deploy.services import GRACE, OUTPUT, TMP, Deployment, Mount, Service

USER = 10001
"""User of the image, and its group."""
SECRETS = "/run/secrets"

_HEADING = """{title}
Made by: holoflow deploy kubernetes

kubectl create namespace {app}       one of its own, as Pods are called as fragments
kubectl -n {app} apply {files}
kubectl -n {app} logs POD            has the address of a page, with its token
kubectl -n {app} port-forward POD 8350
kubectl -n {app} cp POD:{output} .     what a Pod has written, while it runs
kubectl -n {app} delete {files}

podman kube play takes it, too. The Pods may start in any order: each waits for those that it
talks to, also when one comes back."""

_RESTART = {"never": "Never", "on-failure": "OnFailure", "always": "Always"}


def kubernetes(
    deployment: Deployment,
    image: str,
    source: Mount | None = None,
    *,
    nodes: Mapping[str, str] | None = None,
    storage: int | None = None,
) -> str:
    """Return the manifest of `deployment`, without its Secrets.

    Args:
        deployment: The services.
        image: The image that all Pods run.
        source: What all Pods can read from their nodes.
        nodes: Name of the node of each service that must run on a certain one.
        storage: Bytes of the claim in which the output of a Pod is kept; None keeps it only as long
            as the Pod.
    """
    services = deployment.services
    files = "-f app.yaml" + " -f secrets.yaml" * any(s.encrypted for s in services)
    heading = _HEADING.format(
        title=deployment.title, app=deployment.app, files=files, output=OUTPUT
    )
    documents: list[Data] = []
    for service in services:
        labels = _labels(deployment, service)
        if storage is not None:
            documents.append(_claim(service, labels, storage))
        if service.ports:
            documents.append(_service(service, labels))
        documents.append(
            _pod(service, labels, image, source, (nodes or {}).get(service.name), storage)
        )
    return _stream(documents, heading)


def surprises(deployment: Deployment) -> list[str]:
    """Return what the manifest does not provide, a sentence each."""
    return [
        f"{service.name}: a Pod does not get {path} by itself; a device plugin of the "
        "cluster offers it as a resource, to be named under limits:"
        for service in deployment.services
        for path in service.devices
    ]


def secrets(deployment: Deployment, files: Mapping[str, str]) -> str:
    """Return the Secrets of `deployment`, made of its key files by service."""
    documents: list[Data] = [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": f"{s.name}-keys", "labels": _labels(deployment, s)},
            "type": "Opaque",
            # Not stringData, which podman does not read.
            "data": {KEYS: b64encode(files[s.name].encode()).decode()},
        }
        for s in deployment.services
        if s.name in files
    ]
    heading = (
        f"The keys of {deployment.app}. Anyone who has them can send to it: do not share them."
    )
    return _stream(documents, heading)


def read_secrets(text: str, path: Path) -> dict[str, str]:
    """Return the key files by service that are in the text of Secrets.

    Args:
        text: The text.
        path: The path of its file, for errors.

    Raises:
        HoloflowError: This is not the text of such Secrets.
    """
    try:
        documents = list(YAML(typ="safe", pure=True).load_all(text))
        return {
            each["metadata"]["name"].removesuffix("-keys"): b64decode(
                each["data"][KEYS], validate=True
            ).decode()
            for each in documents
            if each is not None
        }
    except (YAMLError, LookupError, TypeError, AttributeError, ValueError):
        raise HoloflowError(
            f"{path} contains something else than keys of an app", "move it away"
        ) from None


def _stream(documents: Sequence[Data], heading: str) -> str:
    return to_yaml({}, heading) + "".join(f"---\n{to_yaml(each)}" for each in documents)


def _labels(deployment: Deployment, service: Service) -> Data:
    return {
        "app.kubernetes.io/name": deployment.app,
        "app.kubernetes.io/component": service.name,
        "app.kubernetes.io/managed-by": "holoflow",
    }


def _claim(service: Service, labels: Data, storage: int) -> Data:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": f"{service.name}-output", "labels": labels},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": mebibytes(storage)}},
        },
    }


def _service(service: Service, labels: Data) -> Data:
    spec = {
        "clusterIP": "None",
        "publishNotReadyAddresses": True,
        "selector": {k: v for k, v in labels.items() if not k.endswith("managed-by")},
        "ports": [
            {"name": f"{port.kind}-{port.number}", "port": port.number, "protocol": "TCP"}
            for port in service.ports
        ],
    }
    why = "Others must reach a Pod before it is ready, as this makes it ready."
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": service.name, "labels": labels},
        "spec": commented(spec, {"publishNotReadyAddresses": why}),
    }


def _pod(
    service: Service,
    labels: Data,
    image: str,
    source: Mount | None,
    node: str | None,
    storage: int | None,
) -> Data:
    metadata: dict[str, Data] = {"name": service.name, "labels": labels}
    scraped = [port for port in service.ports if port.kind == "metrics"]
    if scraped:
        metadata["annotations"] = {
            "prometheus.io/scrape": "true",
            "prometheus.io/port": str(scraped[0].number),
            "prometheus.io/path": "/metrics",
        }
    mounts, volumes, notes = _volumes(service, source, storage)
    container: dict[str, Data] = {
        "name": "holoflow",
        "image": image,
        "args": [_escaped(text) for text in service.arguments],
        # No ports: the Service has them; podman would open them to the host's network.
        "resources": _resources(service),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": mounts,
        "readinessProbe": _probe("--ready"),
        "livenessProbe": _probe(),
    }
    spec: dict[str, Data] = {
        "hostname": service.name,
        "restartPolicy": _RESTART[service.restart],
        "terminationGracePeriodSeconds": GRACE,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "nodeSelector": {"kubernetes.io/hostname": node} if node else {},
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_filled(container, {})],
        "volumes": [commented(volume, notes.get(volume["name"], {})) for volume in volumes],
    }
    comments = {"enableServiceLinks": "The app's ${…} must not refer to the cluster's variables."}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": _filled(spec, comments),
    }


def _volumes(
    service: Service, source: Mount | None, storage: int | None
) -> tuple[list[Data], list[Data], dict[str, dict[str, str]]]:
    """Return mounts, volumes, and comments on the keys of each volume by its name."""
    claim = {"persistentVolumeClaim": {"claimName": f"{service.name}-output"}}
    volumes: list[tuple[str, str, Data, str]] = [
        ("output", OUTPUT, {"emptyDir": {}} if storage is None else claim, ""),
        ("tmp", "/tmp", _memory(TMP), ""),  # noqa: S108 - inside the container
    ]
    if service.shared_memory is not None:
        why = "For links between its fragments, enough for images of 1080p; taken as it is used."
        volumes.append(("shared-memory", "/dev/shm", _memory(service.shared_memory), why))  # noqa: S108
    if service.encrypted:
        secret: Data = {"secret": {"secretName": f"{service.name}-keys", "defaultMode": 0o444}}
        secret["secret"]["optional"] = False  # the default, but podman 4.3 requires it
        why = "292 is 0444, readable for the container's user, which is not root."
        volumes.append(("keys", SECRETS, secret, why))
    if source is not None:
        why = "Must exist on the node; use a persistentVolumeClaim: for storage of the cluster."
        volumes.append(("input", source.target, {"hostPath": {"path": str(source.path)}}, why))
    mounts: list[Data] = []
    for name, path, _, _ in volumes:
        mounts.append({"name": name, "mountPath": path})
        if name in ("keys", "input"):
            mounts[-1]["readOnly"] = True
    notes = {name: {next(iter(kind)): why} for name, _, kind, why in volumes if why}
    return mounts, [{"name": name, **kind} for name, _, kind, _ in volumes], notes


def _memory(size: int) -> Data:
    return {"emptyDir": {"medium": "Memory", "sizeLimit": mebibytes(size)}}


def _resources(service: Service) -> Data:
    amounts: dict[str, Data] = {}
    if service.cores:
        amounts["cpu"] = len(service.cores)
    if service.memory is not None:
        amounts["memory"] = mebibytes(service.memory)
    if service.gpus:
        amounts["nvidia.com/gpu"] = len(service.gpus)
    return {"requests": amounts, "limits": dict(amounts)} if amounts else {}


def _probe(*options: str) -> Data:
    return {
        "exec": {"command": [*HEALTH, *options]},
        "initialDelaySeconds": 5 if options else 30,
        "periodSeconds": 30,
        "timeoutSeconds": 10,
    }


def _filled(mapping: Mapping[str, Data], comments: Mapping[str, str]) -> Data:
    """Return `mapping` without empty values."""
    return commented({k: v for k, v in mapping.items() if v not in ({}, [])}, comments)


def mebibytes(size: int) -> str:
    """Return bytes as Kubernetes expects them, rounded up to whole mebibytes."""
    return f"{-(-size >> 20)}Mi"


def _escaped(text: str) -> str:
    """Return `text` with `$(` escaped, so that Kubernetes substitutes nothing in it."""
    return text.replace("$", "$$") if "$(" in text or "$$" in text else text
