"""What launcher and process say to each other."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.snapshots import faces

from holoflow.core.errors import HoloflowError
from holoflow.launch.channel import (
    BeginCommand,
    Channel,
    Command,
    Drain,
    Ended,
    Failed,
    FlowsOver,
    Heartbeat,
    LogEntry,
    Message,
    Ready,
    Refused,
    StateReport,
    StopCommand,
    decode_command,
    decode_message,
    encode,
)
from holoflow.stats.records import CallRecord, Records

CALL = CallRecord("detect", "infer", "worker 1", "camera", 7, 10, 11, 12, (("a -> b", 3),), ())
MESSAGES = [
    Heartbeat(),
    Ready(),
    LogEntry(30, "holoflow.operator.camera", "two\nlines µ", 1.5e9),
    StateReport(faces()),
    Refused("no key"),
    Ended("done", "inline", faces()),
    Ended("failed", "holoscan", faces(), Failed("detect", "frame 3 of camera", "ValueError", "…"),
          Records("faces", "a1", 5, (CALL,))),
]  # fmt: skip


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.kind)
def test_messages_arrive_as_they_were(message: Message) -> None:
    line = encode(message)
    assert line.count(b"\n") == 1
    assert decode_message(line) == message


@pytest.mark.parametrize("command", [BeginCommand(), Drain(), StopCommand(), FlowsOver((1, 5))])
def test_orders_arrive_as_they_were(command: Command) -> None:
    assert decode_command(encode(command)) == command


@given(
    st.one_of(
        st.binary(max_size=200),
        st.sampled_from([encode(message) for message in MESSAGES[:5]]).flatmap(
            lambda line: st.integers(0, len(line) - 2).map(lambda at: line[:at])
        ),
    )
)
def test_what_is_no_message_is_refused(line: bytes) -> None:
    with pytest.raises(HoloflowError, match="not a message"):
        decode_message(line)


@pytest.fixture
def ends() -> Iterator[tuple[Channel, socket.socket]]:
    own, other = socket.socketpair()
    line = Channel(own, limit=100)
    with other:
        yield line, other
    line.close()


def test_lines_come_whole_however_they_were_sent(ends: tuple[Channel, socket.socket]) -> None:
    line, other = ends
    assert list(line.lines()) == []
    other.sendall(b"one\ntw")
    assert list(line.lines()) == [b"one"]
    other.sendall(b"o\n\nthree\n")
    assert list(line.lines()) == [b"two", b"", b"three"]
    assert line.open


def test_what_was_said_last_is_heard_when_the_other_has_gone(
    ends: tuple[Channel, socket.socket],
) -> None:
    line, other = ends
    other.sendall(b"good-bye\nand")
    other.close()
    assert list(line.lines()) == [b"good-bye"]
    assert list(line.lines()) == []
    assert not line.open


def test_a_line_without_end_is_cut(ends: tuple[Channel, socket.socket]) -> None:
    line, other = ends
    other.sendall(b"x" * 101)
    assert list(line.lines()) == []
    assert not line.open
    with pytest.raises(OSError, match=r"pipe|reset"):
        other.sendall(bytes(10_000_000))


def test_nobody_waits_for_one_who_does_not_listen(ends: tuple[Channel, socket.socket]) -> None:
    line, other = ends
    for _ in range(100):
        line.send(b"x" * 99_999 + b"\n")
    received = 0
    while received < 10_000_000:
        received += len(other.recv(1 << 20))
        line.flush()
    assert received == 10_000_000


def test_what_is_sent_to_one_who_has_gone_is_lost(ends: tuple[Channel, socket.socket]) -> None:
    line, other = ends
    other.close()
    line.send(b"hello\n")
