"""Messages become heads and buffers, and again messages."""

from __future__ import annotations

import struct
import threading
import time
import weakref
from types import MappingProxyType
from typing import Any

import array_api_strict
import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.wire_heads import decode, encode, split
from support.wire_payloads import ANYTHING, PAYLOADS, SCALARS, Scene, same

from holoflow.core import payload as payloads
from holoflow.core.message import Header
from holoflow.core.pictures import Image
from holoflow.core.samples import Arrays
from holoflow.link.wire import (
    INLINE,
    PREFIX,
    VERSION,
    Decoded,
    Decoder,
    Encoder,
    Encoding,
    Types,
    WireError,
)
from holoflow.stats import spans
from holoflow.stats.spans import PathTree, TraceContext, extend

TYPES = Types.of([Scene])
HEADER = Header(3, 1_000_000_007, "camera")
HD = Image(np.arange(1080 * 1920 * 3, dtype=np.uint32).astype(np.uint8).reshape(1080, 1920, 3))


def tracks_of(tree: PathTree) -> TraceContext:
    trace = tree.begin("camera", 5, 7)
    return extend(trace, tree.step("work", "detect", "image"), 8, 9)


def there_and_back(payload: Any, encoding: Encoding = Encoding()) -> Any:  # noqa: B008
    return decode(*encode(payload, HEADER, (), encoding, TYPES), TYPES).payload


@pytest.mark.parametrize("compress", ["none", "zstd"])
@given(payload=ANYTHING)
@settings(max_examples=150)
def test_whatever_travels_is_the_same_at_the_other_end(payload: Any, compress: Any) -> None:
    assert same(there_and_back(payload, Encoding(compress)), payload)


@pytest.mark.parametrize("compress", ["none", "zstd"])
@given(data=st.data())
@settings(max_examples=10)
def test_every_payload_type_travels(data: st.DataObject, compress: Any) -> None:
    for strategy in PAYLOADS:
        payload = data.draw(strategy)
        assert same(there_and_back(payload, Encoding(compress)), payload)


def test_there_is_a_strategy_for_every_payload_type() -> None:
    named = {cls for cls in vars(payloads).values() if isinstance(cls, type)} - {payloads.Array}
    assert {TYPES.named(cls.__name__).cls for cls in named} == named
    assert len(PAYLOADS) == len(named)


def test_header_tracks_and_times_come_along() -> None:
    trace = tracks_of(PathTree())
    header = Header(
        (1 << 64) - 1, -5, "cámera", MappingProxyType({"gain": np.float32(2), "roi": np.arange(4)})
    )
    before = time.monotonic_ns()
    message = encode(HD, header, trace)
    after = time.monotonic_ns()
    decoded = decode(*message, TYPES)
    assert isinstance(decoded, Decoded)
    assert decoded.header.sequence == (1 << 64) - 1
    assert decoded.header.timestamp == -5
    assert decoded.header.source == "cámera"
    assert same(dict(decoded.header.metadata), {"gain": np.float32(2), "roi": np.arange(4)})
    assert decoded.descriptors == spans.to_descriptors(trace)
    assert decoded.times == (5, 7, 8, 9)
    assert before <= decoded.began <= decoded.sent <= after


def test_a_head_begins_with_magic_and_version_and_the_rest_is_msgpack() -> None:
    head, buffers = encode(Image(HD.data, "bgr"), HEADER, tracks_of(PathTree()))
    prefix, origin, payload = split(head)
    assert prefix[:4] == b"holo"
    assert struct.unpack_from("<HHI", prefix, 4) == (VERSION, 4, len(origin))
    began, sent, sequence, timestamp, *times = struct.unpack_from("<qqQq4q", prefix, 12)
    assert began <= sent
    assert (sequence, timestamp, times) == (3, 1_000_000_007, [5, 7, 8, 9])
    stops = [["work", "camera", "", False], ["work", "detect", "image", False]]
    assert msgpack.unpackb(origin) == ["camera", {}, [stops]]
    assert msgpack.unpackb(payload) == [
        "object", "Image",
        {"data": ["array", "|u1", [1080, 1920, 3], "raw"], "colour": "bgr", "geometry": None},
    ]  # fmt: skip
    assert PREFIX.size == len(prefix) - 32 == 44
    assert [buffer.nbytes for buffer in buffers] == [1080 * 1920 * 3]


def test_arrays_are_not_copied() -> None:
    head, buffers = encode(HD, HEADER)
    assert np.shares_memory(np.frombuffer(buffers[0], np.uint8), HD.data)
    received = bytes(buffers[0])
    image = decode(head, [received], TYPES).payload
    assert np.shares_memory(image.data, np.frombuffer(received, np.uint8))
    assert same(image, HD)


@pytest.mark.parametrize("buffer", [bytes, bytearray, memoryview])
@pytest.mark.parametrize("compress", ["none", "zstd"])
def test_what_comes_can_only_be_read(buffer: Any, compress: Any) -> None:
    payload = {"small": np.zeros(3), "large": np.zeros(1000), "odd": np.arange(999, dtype="i2")}
    head, buffers = encode(payload, HEADER, (), Encoding(compress))
    decoded = decode(head, [buffer(b) for b in buffers], TYPES).payload
    for array in decoded.values():
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    assert same(decoded, payload)


def test_a_misaligned_buffer_is_copied() -> None:
    payload = np.arange(1000.0)
    head, buffers = encode(payload, HEADER)
    shifted = memoryview(b"x" + bytes(buffers[0]))[1:]
    decoded = decode(head, [shifted], TYPES).payload
    assert decoded.flags.aligned
    assert not decoded.flags.writeable
    assert same(decoded, payload)


@pytest.mark.parametrize("head", [bytes, bytearray, memoryview])
def test_a_head_may_be_any_buffer(head: Any) -> None:
    data, buffers = encode(HD, HEADER)
    assert same(decode(head(data), buffers, TYPES).payload, HD)


@pytest.mark.parametrize(("number", "buffers"), [(INLINE, 0), (INLINE + 1, 1)])
def test_little_lies_in_the_head(number: int, buffers: int) -> None:
    for payload in (np.arange(number, dtype=np.uint8), bytes(range(256)) * 2 + b"x" * buffers):
        head, found = encode(payload, HEADER)
        assert len(found) == buffers
        assert same(decode(head, found, TYPES).payload, payload)


@pytest.mark.parametrize("length", [3, 3000])
@pytest.mark.parametrize(
    "make",
    [
        lambda a: a.astype(">i4"),
        lambda a: np.stack([a, a])[:, ::2].T,
        lambda a: a[::-1],
        lambda a: np.broadcast_to(a, (3, a.size)),
        lambda a: array_api_strict.asarray(a.astype("f4")),
        lambda a: a.astype("f8").view(np.matrix),
    ],
)  # fmt: skip
def test_arrays_of_other_orders_and_libraries_come_as_plain_ones(make: Any, length: int) -> None:
    array = make(np.arange(length))
    plain = np.asarray(array)
    for compress in ("none", "zstd"):
        decoded = there_and_back(array, Encoding(compress))
        assert type(decoded) is np.ndarray
        assert decoded.flags.c_contiguous
        assert decoded.dtype == plain.dtype.newbyteorder("=")
        np.testing.assert_array_equal(decoded, plain)


def test_a_memory_map_travels(tmp_path: Any) -> None:
    array = np.arange(1000.0)
    array.tofile(tmp_path / "recording")
    mapped = np.memmap(tmp_path / "recording", np.float64, "r")
    head, buffers = encode(mapped, HEADER)
    assert same(decode(head, buffers, TYPES).payload, array)


@given(SCALARS)
def test_numbers_and_text_keep_their_types(value: Any) -> None:
    assert same(there_and_back([value, (value,), {"": value}]), [value, (value,), {"": value}])


def test_mappings_of_other_classes_come_as_dicts_but_arrays_stay_arrays() -> None:
    assert same(there_and_back(MappingProxyType({"a": 1})), {"a": 1})
    assert type(there_and_back(Arrays(a=np.zeros(3)))) is Arrays


def test_many_arrays_keep_their_order() -> None:
    payload = [np.full(100 + number, number) for number in range(1024)]
    assert same(there_and_back(payload), payload)


TREE = PathTree()
ORIGINS = st.tuples(
    st.sampled_from(["camera", "lidar"]),
    st.sampled_from([{}, {"a": 1}, {"a": True}, {"a": 1.0}, {"a": np.arange(1000)}]),
    st.sampled_from([(), TREE.begin("camera", 1, 2), tracks_of(TREE), tracks_of(PathTree())]),
)


@given(st.lists(st.tuples(ORIGINS, ANYTHING), max_size=6), st.data())
@settings(max_examples=100)
def test_messages_of_a_flow_do_not_depend_on_those_before(drawn: Any, data: st.DataObject) -> None:
    encoder, decoder = Encoder(types=TYPES), Decoder(TYPES)
    for (source, metadata, trace), payload in drawn:
        for _ in range(data.draw(st.integers(1, 3))):
            header = Header(7, 8, source, metadata)
            decoded = decoder.decode(*encoder.encode(payload, header, trace))
            assert same(decoded.payload, payload)
            assert decoded.header.source == source
            assert same(dict(decoded.header.metadata), metadata)
            assert decoded.descriptors == spans.to_descriptors(trace)
            assert list(decoded.times) == spans.to_times(trace)


def test_what_one_message_cannot_send_does_not_harm_the_next() -> None:
    encoder, decoder = Encoder(), Decoder()
    for payload in (["a"] * 1000 + [object()], {"b": object()}):
        with pytest.raises(WireError):
            encoder.encode(payload, HEADER)
        assert decoder.decode(*encoder.encode(5, HEADER)).payload == 5


@pytest.mark.parametrize("dtype", ["u1", "f4"])
def test_no_end_keeps_arrays_alive(dtype: str) -> None:
    encoder, decoder = Encoder(), Decoder()
    array = np.zeros(1000, dtype)
    sent = weakref.ref(array)
    came = weakref.ref(decoder.decode(*encoder.encode(array, HEADER)).payload)
    del array
    assert sent() is None
    assert came() is None


def test_nobody_sees_what_others_do_to_their_message() -> None:
    encoder, decoder = Encoder(), Decoder()
    payload = [[1, 2], {"a": [3]}, np.zeros(1000)]
    header = Header(0, 1, "camera", {"list": [1]})
    for _ in range(3):
        decoded = decoder.decode(*encoder.encode(payload, header))
        assert same(decoded.payload, payload)
        assert decoded.header.metadata == {"list": [1]}
        decoded.payload[0].append(3)
        decoded.payload[1]["a"].clear()
        decoded.header.metadata["list"].append(2)  # type: ignore[attr-defined]


def test_threads_do_not_get_in_each_others_way() -> None:
    payload = {"a": np.arange(5000), "b": HD}
    wrong: list[Any] = []

    def work() -> None:
        for _ in range(3):
            decoded = there_and_back(payload, Encoding("zstd"))
            if not same(decoded, payload):
                wrong.append(decoded)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
