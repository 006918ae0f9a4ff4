"""A run of the numbered app to which something happens, on one host or on three."""

from __future__ import annotations

import os
import random
import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from subprocess import TimeoutExpired
from typing import Any

from holoflow.link.keys import KeyStore
from holoflow.report.run_report import read_report
from holoflow.stats.snapshot import Snapshot
from support.hosts import PATIENCE, Host, Program
from support.numbered import FRAGMENTS, Table, count, read_table, write_app

HOLOFLOW = Path(sys.executable).with_name("holoflow")
LOOK = 0.01
"""Seconds between two looks at a run."""
GROWTH = 60
"""Frames after which an app is taken to go on: more than can be under way."""
BACK = {"restart": "on-failure"}


class EndedError(AssertionError):
    """The app has ended where it should have gone on."""


class Trial:
    """A run of the numbered app, with a launcher on each of its hosts."""

    def __init__(
        self,
        places: Mapping[str, Host],
        draw: random.Random,
        *,
        fragments: Mapping[str, Any] = BACK,
        options: Sequence[str] = (),
        **app: Any,
    ) -> None:
        """Prepare to run each fragment at its place; all of them have the keys `fragments`.

        `options` are those of the launchers, and `app` how it is written (`write_app`).
        """
        self.options = options
        self.places = dict(places)
        self.draw = draw
        self.hosts = {host.name: host for host in places.values()}
        self.programs: dict[str, Program] = {}
        """The launchers, by host."""
        self.apart = len(self.hosts) > 1
        keys = {
            name: {**fragments, "environment": {"TEST_FRAGMENT": name}}
            | ({"host": host.name} if self.apart else {})
            for name, host in self.places.items()
        }
        for host in self.hosts.values():
            write_app(host.home / "app", fragments=keys, **app)

    def start(self, *fragments: str) -> None:
        """Start the launchers on the hosts of `fragments`."""
        for host in dict.fromkeys(self.places[name] for name in fragments):
            here = [name for name, at in self.places.items() if at is host]
            chosen = [word for name in here for word in ("--fragment", name)] * self.apart
            command = [str(HOLOFLOW), "run", "app", *chosen, "--output", "run", "--no-web"]
            command += self.options
            with (host.home / "log").open("a") as log:
                self.programs[host.name] = host.popen(command, stdout=log, stderr=log)

    # -- what there is of it -----------------------------------------------------------------

    @property
    def log(self) -> str:
        """All that the launchers have printed."""
        logs = {name: host.home / "log" for name, host in self.hosts.items()}
        texts = {name: log.read_text() for name, log in logs.items() if log.exists()}
        return "\n".join(f"-- {name}\n{text}" for name, text in texts.items())

    def folder(self, fragment: str) -> Path:
        """Return the output folder of a fragment."""
        return self.places[fragment].home / "run"

    def count(self) -> int:
        """Return how many frames have come so far."""
        return count(self.folder("last"))

    def table(self) -> Table:
        """Return which frames have come."""
        return read_table(self.folder("last"))

    def report(self, fragment: str) -> Snapshot:
        """Return what the report on the fragment's host says."""
        return read_report(self.folder(fragment)).snapshot

    def pid(self, fragment: str) -> int:
        """Return the number of the fragment's process outside; waits until it is there."""
        mark = f"TEST_FRAGMENT={fragment}".encode()
        found: list[int] = []

        def look() -> bool:
            numbers = self.places[fragment].processes()
            found[:] = [pid for pid in numbers if mark in _environment(pid)]
            return bool(found)

        self.wait(f"the process of {fragment}", look)
        return min(found)

    # -- what can be waited for --------------------------------------------------------------

    def wait(self, what: str, condition: Callable[[], bool]) -> None:
        """Wait for `condition`; raises EndedError where a launcher ends before."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if any(p.poll() is not None for p in self.programs.values()) and not condition():
                raise EndedError(f"the app has ended before {what}:\n{self.log}")
            assert time.monotonic() < deadline, f"the app never came to {what}:\n{self.log}"
            time.sleep(LOOK)

    def come(self, frames: int) -> None:
        """Wait until so many frames have come to the table."""
        self.wait(f"frame {frames}", lambda: self.count() >= frames)

    def strike(self) -> None:
        """Wait for the drawn moment."""
        self.come(self.count() + self.draw.randint(5, 100))
        time.sleep(self.draw.uniform(0, 0.02))

    def go_on(self) -> None:
        """Wait until what happened is over: deeds are done, and frames come again."""
        self.done()
        self.come(self.count() + GROWTH)

    def done(self) -> None:
        """Wait until all deeds have at least begun."""
        deeds = [self.folder(name) / f"{op}.deed" for name, op in FRAGMENTS.items()]
        self.wait("the deed", lambda: not any(deed.exists() for deed in deeds))

    def end(self) -> int:
        """Have the source end, and return the highest exit status of the launchers."""
        (self.folder("first") / "enough").touch()
        return max(self.statuses().values())

    def statuses(self) -> dict[str, int]:
        """Wait for the end, and return the exit statuses of the launchers by their hosts."""
        try:
            return {name: program.wait(PATIENCE) for name, program in self.programs.items()}
        except TimeoutExpired:
            raise AssertionError(f"the app does not end\n{self.log}") from None

    # -- what can happen ---------------------------------------------------------------------

    def signal(self, fragment: str, number: int) -> None:
        """Send a signal to the fragment's process."""
        os.kill(self.pid(fragment), number)

    def tell(self, fragment: str, deed: str) -> None:
        """Have the fragment's operator do something at its next frame."""
        folder = self.folder(fragment)
        part = folder / "deed.part"
        part.write_text(deed)
        part.replace(folder / f"{FRAGMENTS[fragment]}.deed")

    def lose(self, fragment: str) -> None:
        """Take the power from the fragment's host."""
        host = self.places[fragment]
        host.power_off()
        del self.programs[host.name]

    def bring_back(self, fragment: str) -> None:
        """Give the power back to the fragment's host, and start its launcher."""
        self.places[fragment].power_on()
        self.start(fragment)

    # -- what is wrong with it ---------------------------------------------------------------

    def left(self) -> list[str]:
        """Say what is there of a run that has ended, and should not be."""
        found = []
        for name, host in self.hosts.items():
            found += [f"{name}: process left: {_command(pid)}" for pid in host.processes()]
            found += [f"{name}: left behind: {file}" for file in host.left_behind()]
            odd = [f for f in (host.home / "run").rglob("*") if not (f.is_file() or f.is_dir())]
            found += [f"{name}: left in the output: {file}" for file in odd]
        return found

    def unexpected(self) -> list[str]:
        """Return exceptions in what was printed that nobody has asked for."""
        log = re.sub(r"^(?:\[\w+\] )?\| ", "", self.log, flags=re.MULTILINE)
        thrown = re.findall(r"^Traceback .*\n(?:[ \t].*\n|\n)*(.*)", log, re.MULTILINE)
        asked = ("was told to raise", "No space left on device")
        found = [line for line in thrown if not any(words in line for words in asked)]
        return found + re.findall(r".*holoflow itself failed.*", self.log)


def introduce(*hosts: Host) -> None:
    """Have each host know the keys of all others."""
    stores = {host.name: keys(host) for host in hosts}
    for name, store in stores.items():
        made = store.create(name)
        for other in stores.values():
            if other is not store:
                other.allow(name, made.public)


def keys(host: Host) -> KeyStore:
    """Return the keys that a host has."""
    return KeyStore(host.home / ".config" / "holoflow" / "keys")


def _environment(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:  # it has just ended
        return []


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return "one that has just ended"
