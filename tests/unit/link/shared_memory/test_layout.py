"""Messages in samples of shared memory, as bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holoflow.core.errors import HoloflowError
from holoflow.link.shared_memory import layout

SIZES = st.lists(st.integers(0, 300), max_size=6)
FLOWS = st.lists(st.tuples(st.integers(0, 500), st.integers(0, 1 << 60)), min_size=1, max_size=9)


def sample(flows: list[tuple[int, int]], buffers: list[bytes], head: bytes) -> bytearray:
    places, tail = layout.place(map(len, buffers), layout.prefix_size(len(flows)))
    memory = bytearray(tail + layout.tail_size(len(buffers), len(head)))
    for (at, size), buffer in zip(places, buffers, strict=True):
        memory[at : at + size] = buffer
    numbers = [number for flow in flows for number in flow]
    layout.write(memoryview(memory), 77, numbers, places, tail, head)
    return memory


@given(FLOWS, st.lists(st.binary(max_size=300), max_size=6), st.binary(max_size=300))
def test_what_was_written_is_read(
    flows: list[tuple[int, int]], buffers: list[bytes], head: bytes
) -> None:
    memory = sample(flows, buffers, head)
    for flow, _ in flows:
        found = layout.read(memory, flow)
        assert found.number == dict(flows)[flow]
        assert (found.sender, found.head) == (77, head)
        assert [bytes(memory[at : at + size]) for at, size in found.places] == buffers
    assert layout.read(memory, 501).number == 0


@given(SIZES, st.integers(0, 1000))
def test_buffers_begin_at_lines_and_do_not_touch(sizes: list[int], at: int) -> None:
    places, tail = layout.place(sizes, at)
    end = at
    for place, size in places:
        assert place % layout.ALIGNMENT == 0
        assert place >= end
        end = place + size
    assert tail % layout.ALIGNMENT == 0
    assert end <= tail


@pytest.mark.parametrize("flows", [1, 2, 3, 10])
def test_the_prefix_fits_where_it_is_said_to(flows: int) -> None:
    size = layout.prefix_size(flows)
    assert size % layout.ALIGNMENT == 0
    memory = bytearray(size) + b"\xff"
    layout.write(memoryview(memory), -1, [-1] * 2 * flows, [], size, b"")
    assert memory[size] == 0xFF


def test_another_version_is_refused() -> None:
    memory = sample([(1, 1)], [b"x"], b"head")
    memory[4] = 9
    with pytest.raises(HoloflowError, match="version 9"):
        layout.read(memory, 1)


@given(
    st.binary(max_size=400),
    st.integers(0, 39),
    st.binary(min_size=1, max_size=8),
)
def test_damage_is_an_error_or_stays_inside(garbage: bytes, at: int, damage: bytes) -> None:
    memory = sample([(1, 5)], [garbage], b"head")
    memory[at : at + len(damage)] = damage
    for found in (memory, bytearray(garbage)):
        try:
            read = layout.read(found, 1)
        except HoloflowError:
            continue
        assert all(place + size <= len(found) for place, size in read.places)
