"""What a process reports to its launcher."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
from support.snapshots import faces

from holoflow.launch.channel import (
    Ended,
    Heartbeat,
    LogEntry,
    Message,
    Ready,
    StateReport,
    decode_message,
)
from holoflow.launch.worker import LONGEST, MOST_ENTRIES, Reporter


def record(text: str) -> logging.LogRecord:
    return logging.makeLogRecord(
        {"name": "holoflow.operator.a", "msg": text, "levelno": logging.WARNING}
    )


class Launcher:
    """The other end of the line."""

    def __init__(self) -> None:
        self.line, self.other = socket.socketpair()
        self.line.settimeout(300)
        self.stream = self.line.makefile("rb")
        self.reporter = Reporter(self.other)

    def hear(self) -> Message:
        return decode_message(self.stream.readline())

    def all(self) -> list[Message]:
        """Have the reporter close; returns what is said up to then, without signs of life."""

        def close() -> None:
            self.reporter.close()
            self.other.close()

        closing = threading.Thread(target=close)
        closing.start()
        heard = [decode_message(line) for line in self.stream]
        closing.join()
        return [message for message in heard if not isinstance(message, Heartbeat)]


@pytest.fixture
def launcher() -> Iterator[Launcher]:
    made = Launcher()
    yield made
    made.stream.close()
    made.line.close()
    made.reporter.close()
    made.other.close()


def test_there_are_signs_of_life_where_there_is_nothing_to_say(launcher: Launcher) -> None:
    assert [launcher.hear() for _ in range(2)] == [Heartbeat(), Heartbeat()]


def test_all_arrives_and_what_is_said_comes_last(launcher: Launcher) -> None:
    launcher.reporter.send(Ready())
    assert next(m for m in iter(launcher.hear, None) if m != Heartbeat()) == Ready()
    launcher.reporter.log(record("one"))
    launcher.reporter.log(record("x" * 2 * LONGEST))
    launcher.reporter.show(faces())
    launcher.reporter.send(Ended("done", "inline", faces()))
    heard = launcher.all()
    assert [m.text[:3] for m in heard if isinstance(m, LogEntry)] == ["one", "xxx"]
    assert max(len(m.text) for m in heard if isinstance(m, LogEntry)) == LONGEST
    assert isinstance(heard[-1], Ended)


def test_who_listens_slowly_gets_the_newest_and_a_bounded_log(launcher: Launcher) -> None:
    reporter = launcher.reporter
    with reporter._news:  # nothing is sent meanwhile
        for number in range(MOST_ENTRIES + 5):
            reporter.log(record(str(number)))
        for number in range(5):
            reporter.show(replace(faces(), seconds=float(number)))
    heard = launcher.all()
    sent = [message.text for message in heard if isinstance(message, LogEntry)]
    assert len(sent) == MOST_ENTRIES + 1
    assert sent[-1] == "5 log records were left out: too many to be sent"
    assert [m.snapshot.seconds for m in heard if isinstance(m, StateReport)] == [4.0]


def test_a_launcher_that_has_gone_holds_nobody_up(launcher: Launcher) -> None:
    launcher.stream.close()
    launcher.line.close()
    launcher.reporter.send(Ready())
    launcher.reporter.close()
