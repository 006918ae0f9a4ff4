"""What carries calls to copies in processes of their own: memory is used again, and only then."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from holoflow import Image
from holoflow.core.message import Header
from holoflow.engine.copy_channel import CopyChannel
from holoflow.link.wire import WireError

HEADER = Header(3, 5, "camera", {"gain": 2})


@pytest.fixture
def ends() -> Iterator[tuple[CopyChannel, CopyChannel]]:
    a, b = (CopyChannel(end) for end in socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET))
    yield a, b
    a.close()
    b.close()


def carried(sender: CopyChannel, receiver: CopyChannel, payload: Any) -> Any:
    sender.send_message("call", payload, HEADER, 1, None)
    packet = receiver.receive()
    assert packet is not None
    assert packet.message is not None
    assert (packet.kind, packet.values, packet.message.header) == ("call", [1, None], HEADER)
    return packet.message.payload


def test_messages_arrive_as_they_were_sent(ends: tuple[CopyChannel, CopyChannel]) -> None:
    picture = np.arange(60 * 40 * 3, dtype=np.uint8).reshape(60, 40, 3)
    sent = {
        "image": Image(picture),
        "bytes": b"x" * 5000,
        "none": None,
        "list": [1, "ü\udcff", 2.5],
    }
    got = carried(*ends, sent)
    np.testing.assert_array_equal(got["image"].data, picture)
    assert not got["image"].data.flags.writeable
    assert {**got, "image": None} == {**sent, "image": None}
    empty = carried(*ends, np.empty((0, 3), np.float32))
    assert (empty.shape, empty.dtype) == ((0, 3), np.float32)


def test_arrays_that_are_held_are_not_written_to_and_others_make_room(
    ends: tuple[CopyChannel, CopyChannel],
) -> None:
    """In both directions, copied and allocated, kept by the sender and by the receiver."""
    draw = random.Random(11)
    held: list[tuple[int, Any]] = []
    for number in range(400):
        sender, receiver = draw.sample(ends, 2)
        shape = (draw.choice([600, 3000, 20_000]),)
        array = draw.choice([np.empty, sender.allocate])(shape, np.int32)
        array[:] = number
        held.append((number, carried(sender, receiver, {"x": array})["x"]))
        if draw.random() < 0.3:
            held.append((number, array))
        draw.shuffle(held)
        del held[6:], array
        assert all((one == known).all() for known, one in held)
    for end in ends:
        # Of each size those that are held, that being made, and those not yet said to be free.
        assert len(end._blocks) < 60


def test_a_message_that_cannot_be_sent_leaves_the_channel_as_it_was(
    ends: tuple[CopyChannel, CopyChannel],
) -> None:
    with pytest.raises(WireError, match="set"):
        ends[0].send_message("call", {1, 2}, HEADER)
    assert carried(*ends, [7]) == [7]


def test_its_end_is_seen_once_all_is_read(ends: tuple[CopyChannel, CopyChannel]) -> None:
    ends[0].send("log", "text")
    ends[0].end()
    assert ends[1].receive() == ("log", ["text"], None)
    assert ends[1].receive() is None
