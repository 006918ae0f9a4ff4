"""Whatever comes is a message or is refused."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from support import fuzz_wire
from support.fuzz_wire import TYPES, corpus
from support.wire_heads import decode

from holoflow.link.wire import PREFIX, VERSION, Decoded, WireError

BUFFERS = st.lists(st.binary(max_size=700), max_size=4)
CORPUS = st.sampled_from(corpus())


def refused_or_decoded(head: bytes, buffers: list[bytes]) -> bool:
    try:
        return isinstance(decode(head, buffers, TYPES), Decoded)
    except WireError as error:
        return 0 < len(str(error)) < 1000


@given(st.binary(max_size=500), BUFFERS)
@settings(max_examples=300)
def test_any_bytes(head: bytes, buffers: list[bytes]) -> None:
    assert refused_or_decoded(head, buffers)


@given(st.binary(max_size=500), BUFFERS)
@settings(max_examples=300)
def test_any_bytes_behind_a_valid_beginning(body: bytes, buffers: list[bytes]) -> None:
    for size in {0, len(body) // 2, len(body)}:
        prefix = PREFIX.pack(b"holo", VERSION, 0, size, 0, 0, 0, 0)
        assert refused_or_decoded(prefix + body, buffers)


@given(CORPUS, st.data())
@settings(max_examples=300)
def test_a_valid_message_with_bytes_exchanged(
    message: fuzz_wire.Input, data: st.DataObject
) -> None:
    head, buffers = message
    at = data.draw(st.integers(0, len(head)))
    end = data.draw(st.integers(at, min(at + 9, len(head))))
    head = head[:at] + data.draw(st.binary(max_size=9)) + head[end:]
    for place, buffer in enumerate(buffers):
        at = data.draw(st.integers(0, len(buffer)))
        changed = buffer[:at] + data.draw(st.binary(max_size=9)) + buffer[at + 3 :]
        buffers = [*buffers[:place], changed, *buffers[place + 1 :]]
    assert refused_or_decoded(head, buffers)


def test_every_truncation_is_refused() -> None:
    for head, buffers in corpus():
        for end in range(len(head)):
            try:
                decode(head[:end], buffers, TYPES)
            except WireError:
                continue
            raise AssertionError(f"{head[:end].hex()} was taken for a message")


def test_messages_without_one_of_their_buffers_or_with_one_more_are_refused() -> None:
    for head, buffers in corpus():
        assert decode(head, buffers, TYPES).header.source == "camera"
        for wrong in (buffers[:-1], [*buffers, b"x"]):
            if wrong == buffers:
                continue
            try:
                decode(head, wrong, TYPES)
            except WireError:
                continue
            raise AssertionError("a message with other buffers was taken for one")


def test_mutations_of_valid_messages() -> None:
    decoded = sum(fuzz_wire.check(candidate) for candidate in fuzz_wire.inputs(20_000, seed=1))
    assert 1000 < decoded < 10_000  # else the mutations are too harmless, or too harsh
