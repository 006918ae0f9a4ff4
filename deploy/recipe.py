"""The container recipe: a template, filled in."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from importlib.resources import files
from string import Template
from typing import Any

import holoflow

RECIPE = "Containerfile"
USER = "10001:10001"
"""User of the container; any user except root would do."""

_PREFIX = "io.holoflow"


def recipe(manifest: Mapping[str, Any]) -> str:
    """Return the recipe of the image that `manifest` describes."""
    template = files("holoflow.deploy") / "templates" / f"{RECIPE}.tmpl"
    text = Template(template.read_text(encoding="utf-8")).substitute(
        app=manifest["app"]["name"],
        holoflow=holoflow.__version__,
        base=manifest["base"],
        python=manifest["versions"]["python"],
        user=USER,
        labels=_labels(labels(manifest)),
        apt=_apt(manifest["apt"]),
        ports=_ports(manifest["ports"]),
    )
    return re.sub(r"\n{2,}(?!FROM)", "\n", text)  # parts that an app lacks leave no empty lines


def labels(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Return the labels of the image: those of OCI and those of holoflow."""
    app = manifest["app"]
    found = {
        "org.opencontainers.image.title": app["name"],
        "org.opencontainers.image.description": app["description"],
        "org.opencontainers.image.version": app["version"],
        "org.opencontainers.image.base.name": manifest["base"],
        f"{_PREFIX}.app": app["name"],
        f"{_PREFIX}.version": holoflow.__version__,
        f"{_PREFIX}.fragments": ",".join(manifest["fragments"]),
        f"{_PREFIX}.ports": ",".join(f"{p['port']}/{p['name']}" for p in manifest["ports"]),
    }
    return {name: text for name, text in found.items() if text}


def _labels(found: Mapping[str, str]) -> str:
    lines = (f"{name}={_quoted(text)}" for name, text in found.items())
    return "LABEL " + " \\\n      ".join(lines)


def _quoted(text: str) -> str:
    """Return `text` quoted for a recipe, with nothing in it substituted."""
    return json.dumps(" ".join(text.split()), ensure_ascii=False).replace("$", "\\$")


def _apt(packages: list[str]) -> str:
    if not packages:
        return ""
    return (
        "# hadolint ignore=DL3008\n"
        "RUN apt-get update \\\n"
        f" && apt-get install --yes --no-install-recommends {' '.join(packages)} \\\n"
        " && rm -rf /var/lib/apt/lists/* /var/log/apt /var/log/dpkg.log /var/cache/ldconfig/*"
    )


def _ports(ports: list[Mapping[str, Any]]) -> str:
    numbers = sorted({port["port"] for port in ports})
    return f"EXPOSE {' '.join(map(str, numbers))}" if numbers else ""
