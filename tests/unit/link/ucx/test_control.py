"""What the two ends of a flow say to one another."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holoflow.link.ucx.control import (
    VERSION,
    Answer,
    Ask,
    Closed,
    ConnectionLostError,
    Frames,
    UcxHello,
    UcxProgress,
    write,
)
from holoflow.stats.counters import CONSUMER_COUNTERS

numbers = st.integers(-(2**63), 2**63 - 1)
consumers = st.tuples(*[numbers] * CONSUMER_COUNTERS)
frames = st.one_of(
    st.builds(
        UcxHello, st.integers(0, 2**32 - 1), numbers, st.text("abc019-", min_size=0, max_size=32)
    ),
    st.builds(UcxProgress, numbers, st.booleans(), st.booleans(), consumers),
    st.builds(Closed, numbers),
    st.builds(Ask, numbers),
    st.builds(Answer, numbers, numbers, numbers),
)


@given(st.lists(frames, max_size=5), st.integers(1, 50))
def test_frames_come_out_however_they_are_cut(said, size):
    data = b"".join(map(write, said))
    reader = Frames()
    heard = [f for at in range(0, len(data), size) for f in reader.feed(data[at : at + size])]
    assert heard == said


@given(st.binary(max_size=200))
def test_anything_gives_frames_or_an_error(data):
    with contextlib.suppress(ConnectionLostError):
        list(Frames().feed(data))


def test_another_version():
    hello = bytearray(write(UcxHello(1, 2, "run")))
    hello[5] = VERSION + 1
    with pytest.raises(ConnectionLostError, match=f"uses version {VERSION + 1} of the ucx link"):
        list(Frames().feed(bytes(hello)))


def test_somebody_else():
    for data in (b"GET / HTTP/1.1\r\n", b"\0" * 100):
        with pytest.raises(ConnectionLostError, match="invalid data"):
            list(Frames().feed(data))
