"""Messages as tensors."""

import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holoflow.link.ucx.frame import APART, UcxFrame, pack, unpack, writable
from holoflow.link.wire import WireError

ucx_frames = st.builds(
    UcxFrame,
    st.integers(1, 2**62),
    st.binary(max_size=40),
    st.lists(st.binary(min_size=1, max_size=20), max_size=5),
)


def same(a: UcxFrame, b: UcxFrame) -> bool:
    contents = [[bytes(part) for part in (p.head, *p.buffers)] for p in (a, b)]
    return a.number == b.number and contents[0] == contents[1]


@given(ucx_frames)
def test_what_was_packed_comes_out(ucx_frame):
    assert same(unpack(pack(ucx_frame)), ucx_frame)


@pytest.mark.parametrize("count", [APART, APART + 1, 1024])
def test_many_buffers(count):
    ucx_frame = UcxFrame(7, b"head", [bytes([i % 251]) * (i % 5) for i in range(count)])
    tensors = pack(ucx_frame)
    assert len(tensors) == (count + 1 if count <= APART else 2)
    assert same(unpack(tensors), ucx_frame)


def test_nothing_is_copied_but_the_head():
    array = np.arange(1000, dtype=np.uint8)
    array.flags.writeable = False
    tensors = pack(UcxFrame(1, b"", [array.data]))
    assert np.shares_memory(tensors["0"], array)
    assert tensors["0"].flags.writeable  # Holoscan asks for it
    assert np.shares_memory(np.frombuffer(unpack(tensors).buffers[0], np.uint8), array)


def test_an_alias_keeps_the_memory_alive():
    alias = writable(np.frombuffer(bytes(range(100)) * 1000, np.uint8))
    rest = [np.zeros(100_000, np.uint8) for _ in range(10)]
    assert bytes(alias[:100]) == bytes(range(100))
    del rest


def broken():
    good = pack(UcxFrame(1, b"head", [b"abc"] * (APART + 1)))
    plain = pack(UcxFrame(1, b"head", [b"abc", b"de"]))
    head = good["head"]
    yield None
    yield b"a pickle"
    yield {}
    yield {"0": head}
    yield {"head": head[:10]}
    yield {"head": head}
    yield {**good, "1": head}
    yield {**good, "0": good["0"][:-1]}
    yield {**good, "head": head[:20]}
    yield {**plain, "7": plain["0"]}
    yield {**plain, "0": plain["0"].astype(np.int16)}
    yield {**plain, "0": plain["0"].reshape(1, -1)}
    yield {**plain, "0": np.array([object()])}
    yield {**plain, "head": np.zeros_like(plain["head"])}
    negative = head.copy()
    negative[16:24] = 255
    yield {**good, "head": negative}


@pytest.mark.parametrize("tensors", list(broken()))
def test_what_is_none_of_ours_is_refused(tensors):
    with pytest.raises(WireError):
        unpack(tensors)


@given(
    st.dictionaries(
        st.sampled_from(["head", "0", "1"]),
        st.binary(max_size=60).map(lambda data: np.frombuffer(data, np.uint8)),
    )
)
def test_anything_gives_a_parcel_or_an_error(tensors):
    with contextlib.suppress(WireError):
        unpack(tensors)
