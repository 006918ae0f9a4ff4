"""The health of a run, for those who may restart it or send it work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from holoflow.core.errors import HoloflowError
from holoflow.core.text import choices, duration
from holoflow.live import sockets
from holoflow.live.attach import Attachment
from holoflow.live.protocol import Hello, Phase
from holoflow.live.sockets import SocketAddress

RECENT = 10.0
"""Seconds within which every process of a run must have published its state, which it does twice a
second; operators of a process that ends have as long to stop."""

_WAITS: Mapping[Phase, str] = {"starting": "is starting", "again": "is to be restarted"}


@dataclass(frozen=True)
class Health:
    """The health of a run."""

    app: str
    """Empty if none runs and none was named."""
    run: str
    """Empty if there is none."""
    live: bool
    """Whether it runs, all of its processes publish their state, and nothing is stuck."""
    ready: bool
    """Whether, in addition, all sources have begun."""
    why: str
    """Why it is not live, or else not ready; empty if it is both."""
    waits: str = ""
    """What is waited for if nothing has moved for long although the run is live: frames of another
    host, or of a device that gives none."""
    phases: Mapping[str, Phase] = field(default_factory=dict)
    """By fragment."""
    age: float | None = None
    """Longest time in seconds since a process published its state; None if none has."""


def ask(app: str | None) -> Health:
    """Return the health of the newest run of this user's `app`; without a name, of the only app.

    Waits a little more than `attach.ANSWER` seconds if a process does not answer.

    Raises:
        HoloflowError: None is named and several run.
    """
    with Attachment(app) as attachment:
        return judge(app, *attachment.ask())


def judge(app: str | None, hellos: Sequence[Hello], silent: Mapping[SocketAddress, str]) -> Health:
    """Return the health of the newest run of `app`.

    Args:
        app: Name of the app; None for the only one that runs.
        hellos: What its processes have said.
        silent: Why other sockets have not answered.

    Raises:
        HoloflowError: None is named and several run.
    """
    apps = sorted({hello.app for hello in hellos})
    if app is None and len(apps) > 1:
        raise HoloflowError("several apps run", f"name one of {choices(apps)}")
    if not hellos:
        said = (_said(address, why) for address, why in silent.items())
        why = next(said, f"no run{f' of {app}' if app else ''} is there")
        return Health(app or "", "", live=False, ready=False, why=why)
    newest = max(hellos, key=lambda hello: hello.began).run
    ours = [hello for hello in hellos if hello.run == newest]
    theirs = f"{sockets.short(apps[0])}."
    silent = {address: why for address, why in silent.items() if address.name.startswith(theirs)}
    phases = _phases(ours)
    dead = next(_dead(ours, phases, silent), "")
    waits = (f"{name} {_WAITS[phase]}" for name, phase in phases.items() if phase in _WAITS)
    why = dead or next(waits, "")
    ages = [hello.age for hello in ours if hello.age is not None]
    waiting = next((hello.waits for hello in ours if hello.waits), "")
    age = max(ages, default=None)
    return Health(apps[0], newest, not dead, not why, why, waiting, phases, age)


def _phases(hellos: Sequence[Hello]) -> dict[str, Phase]:
    """Return the phases of fragments, as reported by the launcher, or else by themselves."""
    for hello in hellos:
        if hello.phases is not None:
            return dict(hello.phases)
    return {hello.fragment: "starting" if hello.age is None else "running" for hello in hellos}


def _dead(
    hellos: Sequence[Hello], phases: Mapping[str, Phase], silent: Mapping[SocketAddress, str]
) -> Iterator[str]:
    """Yield why a run is not live."""
    # A process that loads libraries may not answer in time; its launcher watches it.
    starting = {sockets.short(name) for name, phase in phases.items() if phase == "starting"}
    for address, why in silent.items():
        if _who(address) not in starting:
            yield _said(address, why)
    for hello in hellos:
        if hello.trouble:
            yield hello.trouble
        if hello.age is not None and hello.age > RECENT:
            who = f"{hello.fragment} (process {hello.pid})"
            yield f"{who} has not published its state for {duration(hello.age)}"


def _who(address: SocketAddress) -> str:
    """Return the fragment of the socket, as far as its name says."""
    parts = address.name.split(".")
    return parts[2] if len(parts) == 4 else address.name


def _said(address: SocketAddress, why: str) -> str:
    return f"{_who(address)} (process {address.pid}): {why}"
