"""Systemd units for the services of an app, to run it without containers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from holoflow.core.text import printable
from holoflow.deploy.services import GRACE, Deployment, Service

KEYS = "holoflow-keys"
"""Name of the credential with the keys."""
KEYS_FOLDER = "/etc/holoflow/keys"
"""Folder of the key files on a host."""

_HEADING = """{title}
Made by: holoflow deploy systemd

{where}
    systemctl daemon-reload
    systemctl enable --now {target}
    journalctl -u {unit}                 its log
    systemctl stop {target}    sources end, what is under way is worked off
What it writes is in /var/lib/{state}."""

_RESTART = {"never": "no", "on-failure": "on-failure", "always": "always"}
_PAUSE = 5
"""Seconds before a whole service is restarted."""


def systemd(
    deployment: Deployment, command: Sequence[str], app: Path, source: Path | None = None
) -> dict[str, str]:
    """Return the units of `deployment` by file name: one for each service, and a target.

    Args:
        deployment: The services.
        command: Calls `holoflow run`, as on each host.
        app: Path of the YAML file on each host.
        source: Path of a file or folder to read on each host.
    """
    target = f"holoflow-{deployment.app}.target"
    units = {
        unit_name(deployment, service): _service(deployment, service, command, app, source)
        for service in deployment.services
    }
    return units | {target: _target(deployment, tuple(units))}


def unit_name(deployment: Deployment, service: Service) -> str:
    """Return the name of the unit of `service`."""
    return f"holoflow-{_state(deployment, service)}.service"


def _state(deployment: Deployment, service: Service) -> str:
    alone = service.name == deployment.app
    return deployment.app if alone else f"{deployment.app}-{service.name}"


def _target(deployment: Deployment, units: Sequence[str]) -> str:
    return _unit(
        "A host has those of these units that are meant for it; systemd ignores the others.",
        {
            "Unit": [("Description", _text(deployment.title)), ("Wants", " ".join(units))],
            "Install": [("WantedBy", "multi-user.target")],
        },
    )


def _service(
    deployment: Deployment,
    service: Service,
    command: Sequence[str],
    app: Path,
    source: Path | None,
) -> str:
    target = f"holoflow-{deployment.app}.target"
    unit = unit_name(deployment, service)
    state = f"holoflow/{_state(deployment, service)}"
    keys = f"{KEYS_FOLDER}/{deployment.app}-{service.name}.json"
    where = f"On the host {service.host}: copy this file and {target} to /etc/systemd/system"
    if service.encrypted:
        where += f",\nand keys/{service.name}.json to {keys} (mode 0600)"
    heading = _HEADING.format(
        title=deployment.title, where=f"{where}; then", target=target, unit=unit, state=state
    )
    run = [*command, str(app), "--output", f"/var/lib/{state}", *service.arguments]
    paths = [Path(command[0]), app] + ([source] if source else [])
    entries: list[tuple[str, str]] = [
        ("Type", "exec"),
        ("ExecStart", " ".join(map(quoted, run))),
        ("Environment", "HOLOFLOW_CACHE=/var/cache/holoflow"),
        ("SuccessExitStatus", "130"),  # of a run that was asked to end
        ("Restart", _RESTART[service.restart]),
    ]
    if service.restart != "never":
        entries.append(("RestartSec", str(_PAUSE)))
        entries.append(("RestartPreventExitStatus", "2"))  # the app is wrong and will stay so
    if service.encrypted:
        entries.append(("LoadCredential", f"{KEYS}:{keys}"))
        entries.append(("Environment", f"HOLOFLOW_KEYS_FILE=%d/{KEYS}"))
    entries += [
        # Only the launcher gets the signal: it has its processes finish what is under way.
        ("KillMode", "mixed"),
        ("KillSignal", "SIGTERM"),
        ("TimeoutStopSec", str(GRACE)),
    ]
    if service.cores:
        entries.append(("CPUAffinity", " ".join(map(str, service.cores))))
    if service.memory is not None:
        entries.append(("MemoryMax", str(service.memory)))
    limits = [("Description", _text(f"{deployment.title} ({_fragments(service)})"))]
    limits += [("PartOf", target), ("Wants", "network-online.target")]
    limits += [("After", "network-online.target")]
    if service.restart == "on-failure":
        # As often in a row as the app says; the count is reset after a minute without a failure.
        limits += [("StartLimitBurst", str(service.restarts + 1))]
        limits += [("StartLimitIntervalSec", str(60 + _PAUSE * service.restarts))]
    entries += [
        ("DynamicUser", "yes"),
        ("StateDirectory", state),
        ("WorkingDirectory", f"/var/lib/{state}"),
        ("CacheDirectory", "holoflow"),
        *_hardening(service, paths),
    ]
    sections = {"Unit": limits, "Service": entries, "Install": [("WantedBy", target)]}
    return _unit(heading, sections)


def _hardening(service: Service, paths: Sequence[Path]) -> list[tuple[str, str]]:
    """Return what keeps the service from everything it does not need; it can read `paths`."""
    homes = any(path.parts[1:2] in (("home",), ("root",)) for path in paths)
    devices = [("PrivateDevices", "yes")]
    if service.devices or service.gpus:
        devices = [("DevicePolicy", "closed")]
        devices += [("DeviceAllow", f"{path} rw") for path in service.devices]
    if service.devices:
        devices.append(("SupplementaryGroups", "video"))
    if service.gpus:
        names = ("nvidia-frontend", "nvidia", "nvidia-uvm", "nvidia-caps")
        devices += [("DeviceAllow", f"char-{name} rw") for name in names]
    yes = (
        "NoNewPrivileges", "PrivateTmp", "ProtectKernelTunables", "ProtectKernelModules",
        "ProtectKernelLogs", "ProtectControlGroups", "ProtectClock", "RestrictNamespaces",
        "RestrictSUIDSGID", "LockPersonality",
    )  # fmt: skip
    return [
        *((name, "yes") for name in yes),
        ("ProtectSystem", "strict"),
        ("ProtectHome", "read-only" if homes else "yes"),
        *devices,
        ("RestrictAddressFamilies", "AF_UNIX AF_INET AF_INET6 AF_NETLINK"),
        ("SystemCallArchitectures", "native"),
        ("CapabilityBoundingSet", ""),
        ("UMask", "0027"),
    ]


def _unit(heading: str, sections: Mapping[str, Sequence[tuple[str, str]]]) -> str:
    lines = [f"# {printable(line)}".rstrip() for line in heading.split("\n")]
    for section, entries in sections.items():
        lines += ["", f"[{section}]", *(f"{name}={value}" for name, value in entries)]
    return "\n".join(lines) + "\n"


def quoted(text: str) -> str:
    """Return `text` as one word of a systemd command line."""
    text = text.replace("%", "%%").replace("$", "$$")
    if re.fullmatch(r"[A-Za-z0-9_@%+=:,./$-]+", text):
        return text
    named = {"\n": "\\n", "\t": "\\t", "\r": "\\r", "\\": "\\\\", '"': '\\"'}
    return '"' + "".join(named.get(c) or printable(c) for c in text) + '"'


def _fragments(service: Service) -> str:
    return ", ".join(service.fragments) or "all of it"


def _text(text: str) -> str:
    """Return `text` as the rest of a line."""
    return " ".join(printable(text).split()).replace("%", "%%").rstrip("\\")
