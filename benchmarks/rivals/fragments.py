"""The app of two fragments that is measured, and what it needs around it."""

from __future__ import annotations

import json
import os
import time
import zlib
from pathlib import Path
from typing import Final

from holoflow.link.keys import KeyStore
from rivals.job import Job

LINGER: Final = "10ms"
"""For how long stages look for work before they sleep, where the contender says so."""
HOSTS: Final = {"sending": "there", "receiving": "here"}
"""Of the fragments, where they are to be linked as if on two hosts."""


def queue(job: Job) -> int:
    """Return how many messages may wait for the receiver; the sender waits where there is no room.

    8, or a megabyte of smaller ones: the buffers of sockets, which nobody counts, hold more. Over
    ucx one message is under way at a time, so that more would only wait.
    """
    if job.variant == "ucx":
        return 8
    return max(8, min(256, 1_000_000 // job.size))


def over_network(job: Job) -> bool:
    """Whether the fragments are started one by one, as on two hosts."""
    return job.variant.startswith("zeromq tcp")


def prepare(job: Job) -> Path:
    """Write the app's file and keys, and return the file."""
    with_keys(job)
    keys = KeyStore()
    own = keys.create("here")
    for host in HOSTS.values():
        keys.allow(host, own.public)
    file = job.path / "links.yaml"
    part = file.with_suffix(".part")
    part.write_text(json.dumps(_app(job)))  # JSON is YAML
    part.rename(file)
    return file


def await_prepared(job: Job) -> Path:
    """Return the app's file once another process has prepared all."""
    with_keys(job)
    file = job.path / "links.yaml"
    while not file.exists():
        time.sleep(0.01)
    return file


def with_keys(job: Job) -> None:
    """Use keys of the measurement's own, not those of the user."""
    os.environ["HOLOFLOW_KEYS"] = str(job.path / "keys")


def _app(job: Job) -> dict[str, object]:
    link, *more = job.variant.split()
    flow: dict[str, object] = {"from": "send", "queue": queue(job), "link": link}
    fragments: dict[str, dict[str, object]] = {
        "sending": {"operators": ["send"]},
        "receiving": {"operators": ["receive"]},
    }
    if over_network(job):
        flow["encrypt"] = "curve" in more
        for name, fragment in fragments.items():
            fragment["host"] = HOSTS[name]
        # Both fragments must come to the same one, and others may measure on this machine.
        fragments["receiving"]["port"] = 10_000 + zlib.crc32(job.folder.encode()) % 20_000
    return {
        "app": "links",
        "schema": 1,
        **({"scheduler": {"linger": LINGER}} if "linger" in more else {}),
        "operators": {
            "send": {"type": "rivals.operators:SendOp", "with": {"loan": "loan" in more}},
            "receive": {"type": "rivals.operators:ReceiveOp", "inputs": {"array": flow}},
        },
        "fragments": fragments,
    }
