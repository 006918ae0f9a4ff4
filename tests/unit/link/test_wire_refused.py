"""What cannot be sent, or is not a message, is refused with an explanation."""

from __future__ import annotations

import datetime
import struct
from dataclasses import dataclass
from typing import Any

import msgpack
import numpy as np
import pytest
from support.wire_heads import decode, encode, head, join

from holoflow.core.errors import HoloflowError
from holoflow.core.message import Header
from holoflow.core.samples import Arrays
from holoflow.link.wire import (
    BUFFERS,
    HEAD,
    ITEMS,
    NESTING,
    TOTAL,
    Types,
    WireError,
)

TYPES = Types.of([])
HEADER = Header(0, 1, "camera")


@dataclass(frozen=True)
class Track:
    when: Any


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


class Unruly:
    """Looks like an array of a library that will not have it read."""

    shape = (3,)
    dtype = "f4"

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise RuntimeError("it lies on the moon")


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (Track(1), r"payload: .*test_wire_refused.Track cannot be sent between processes, as no "
                   r"port names it; annotate the port that sends it with Track"),
        ({"a": [0, Track(1)]}, r"payload\['a'\]\[1\]: .*Track"),
        ({"when": datetime.date(2026, 1, 1)}, r"payload\['when'\]: datetime.date cannot .*; "
                                              r"payloads can be"),
        ({1, 2}, "builtins.set cannot be sent"),
        (object(), "builtins.object cannot be sent"),
        (bytearray(3), "builtins.bytearray cannot be sent"),
        ({1: 2}, "a mapping has the key 1; keys must be strings"),
        (np.array([object()]), "an array of dtype object cannot be sent .*; use bool"),
        (np.zeros(3, "M8[ns]"), r"dtype datetime64\[ns\]"),
        (np.timedelta64(1, "s"), r"dtype timedelta64\[s\]"),
        (np.zeros(3, "f4,i2"), "cannot be sent between processes; use bool"),
        (np.zeros(3, "U4"), "dtype <U4"),
        (np.str_("a"), "dtype <U1"),
        (np.zeros(3, "longdouble"), "dtype float128|dtype longdouble"),
        (np.ma.masked_array(np.zeros(3), [True, False, True]), "would lose its mask"),
        (Unruly(), "cannot be copied to main memory: it lies on the moon"),
        (Arrays(a=Track(1)), r"payload\.arrays.*: .*Track"),
        (nested(NESTING + 1), "lists, mappings and dataclasses are nested more than 32 deep"),
        (list(range(ITEMS + 1)), "it has more than 65536 values; put them into an array"),
        ([[{}] * 65_000] * 5, "more than 262144 values; put them into an array"),
        ("x" * HEAD, "more than 4194304 bytes besides its arrays"),
        ([np.zeros(600, "u1")] * (BUFFERS + 1), r"payload\[1024\]: .* more than 1024 arrays"),
        (np.broadcast_to(np.uint8(0), TOTAL + 1), "more than 2147483648 bytes"),
        ([np.broadcast_to(np.uint8(0), 2 * TOTAL)], r"payload\[0\]: a message has more than"),
    ],
)  # fmt: skip
def test_what_cannot_travel_is_named(payload: Any, words: str) -> None:
    with pytest.raises(WireError, match=words) as caught:
        encode(payload, HEADER, types=TYPES)
    assert isinstance(caught.value, HoloflowError)
    assert str(caught.value).startswith("a message of camera")


def test_what_can_just_travel_does() -> None:
    for payload in (nested(NESTING), list(range(ITEMS)), "x" * (HEAD - 100)):
        assert decode(*encode(payload, HEADER), TYPES).payload == payload


def test_a_payload_that_holds_itself_is_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(WireError, match="nested more than"):
        encode(endless, HEADER)


def test_metadata_that_cannot_travel_are_named() -> None:
    header = Header(0, 1, "camera", {"lens": {"made": datetime.date(2026, 1, 1)}})
    with pytest.raises(WireError, match=r"camera: metadata\['lens'\]\['made'\]: datetime.date"):
        encode(1, header)


def image(data: Any, colour: Any = "gray") -> Any:
    return ["object", "Image", {"data": data, "colour": colour, "geometry": None}]


def geometry(**other: Any) -> Any:
    fields = {
        "width": 2, "height": 2, "source": ["tuple", 2, 2], "scale": ["tuple", 1.0, 1.0],
        "offset": ["tuple", 0.0, 0.0], "source_spacing_mm": None, "source_region": None,
    }  # fmt: skip
    return ["object", "Geometry", {**fields, **other}]


KB = bytes(1000)


@pytest.mark.parametrize(
    ("data", "buffers", "words"),
    [
        (b"", [], "a head has 0 bytes; 44 to 4194304 are expected"),
        (b"holo", [], "a head has 4 bytes"),
        (bytes(HEAD + 1), [], "a head has 4194305 bytes"),
        (bytes(100), [], "this is not a message of holoflow"),
        (head(1, magic=b"HTTP"), [], "this is not a message of holoflow"),
        (head(1, version=1), [], "has version 1 of the wire format, this is version 3; run"),
        (head(1, size=1000), [], "a head is truncated"),
        (head(1, times=range(5))[:60], [], "a head is truncated"),
        (head(1) + b"x", [], "not valid msgpack: .*extra data"),
        (head(1)[:-1], [], "not valid msgpack: .*incomplete"),
        (head(msgpack.ExtType(5, b"abc")), [], "max_ext_len"),
        (head(msgpack.ExtType(5, b"")), [], "unknown form: a ExtType"),
        (head(1)[:-1] + b"\xdd\xff\xff\xff\xff", [], "max_array_len"),
        (head(1)[:-1] + b"\xdd\x00\x01\x00\x02", [], "max_array_len"),
        (head(1)[:-1] + b"\xdf\x00\x01\x00\x01", [], "max_map_len"),
        (head(1)[:-1] + b"\x81\x01\x01", [], "map key"),
        (head({b"a": 1}), [], "key that is not a string"),
        (head(1)[:-1] + b"\xa1\xff", [], "utf-8"),
        (head(1)[:-1] + b"\x91" * 5000 + b"\x01", [], "not valid msgpack"),
        (join(["a", {}], 1), [], "three values"),
        (join({}, 1), [], "three values"),
        (join(b"", 1), [], "not valid msgpack"),
        (join(["a", {}, []], b""), [], "not valid msgpack"),
        (join([b"a", {}, []], 1), [], "a source must be"),
        (join(["a", [], []], 1), [], "metadata must be a mapping"),
        (join(["a", {"a": ["?"]}, []], 1), [], "unknown form: '\\?'"),
        (join(["a", {}, {}], 1), [], "paths must be"),
        (head(1), [b""], "1 buffers, but its head names 0"),
        (head(1), [b""] * (BUFFERS + 1), "1025 buffers, but its head names 0"),
        (head([]), [], "unknown form: a list"),
        (head(["set", 1]), [], "unknown form: 'set'"),
        (head([[], 1]), [], "unknown form"),
        (head([True, 1]), [], "unknown form"),
        (head(["int", 5]), [], "in bytes"),
        (head(["int"]), [], "must have 1 values, but has 0"),
        (head(["number", "<f4", bytes(5)]), [], "must have 4 bytes"),
        (head(["number", "|O", bytes(8)]), [], "unknown dtype"),
        (head(["array", "|O", [1], bytes(8)]), [], "unknown dtype"),
        (head(["array", "<M8[s]", [1], bytes(8)]), [], "unknown dtype"),
        (head(["array", ["<f4"], [1], bytes(4)]), [], "unknown dtype"),
        (head(["array", "<f4", 1, bytes(4)]), [], "a shape must be"),
        (head(["array", "<f4", [1] * 33, bytes(4)]), [], "a shape must be"),
        (head(["array", "<f4", [-1], bytes(4)]), [], "a shape must consist"),
        (head(["array", "<f4", [1.0], bytes(4)]), [], "a shape must consist"),
        (head(["array", "<f4", [True], bytes(4)]), [], "a shape must consist"),
        (head(["array", "<f4", [2], bytes(7)]), [], "of 8 bytes must be in the head"),
        (head(["array", "<f4", [2], "raw"]), [bytes(8)], "of 8 bytes must be in the head"),
        (head(["array", "|u1", [1000], KB]), [], "a codec must be a string"),
        (head(["array", "|u1", [1000], "raw"]), [], "0 buffers, but its head names 1"),
        (head(["array", "|u1", [1000], "raw"]), [KB[1:]], "but its head states 1000"),
        (head(["array", "|u1", [1000], "raw"]), [KB + b"x"], "1001 bytes, but its head states"),
        (head(["array", "|u1", [1000], "lzma"]), [KB], "unknown codec: 'lzma'"),
        (head(["array", "|u1", [1 << 32, 1 << 32], "raw"]), [KB], "more than 2147483648 bytes"),
        (head(["array", "<f8", [(1 << 61) + 125], "raw"]), [KB], "more than 2147483648 bytes"),
        (head(["array", "|u1", [0, (1 << 64) - 1], b""]), [], "no array can have this shape"),
        (head(["bytes", 1000]), [KB], "must have 2"),
        (head(["bytes", 512, "raw"]), [bytes(512)], "a length must be"),
        (head(["bytes", TOTAL + 1, "raw"]), [KB], "a length must be"),
        (head(["bytes", "1000", "raw"]), [KB], "a length must be"),
        (head(["object", "Track", {"when": 1}]), [], "the class 'Track' is neither named by"),
        (head(["object", "os:system", {"a": 1}]), [], "the class 'os:system' is neither"),
        (head(["object", ["Image"], {}]), [], "the name of a class must be a string"),
        (head(["list", *[["array", "|u1", [1000], "raw"]] * (BUFFERS + 1)]), [KB], "1024 buffers"),
        (head(["list", *[["list", *[{}] * 65_000]] * 5]), [], "more than 262144 values"),
        (head(["object"])[:-8] + b"\x93\xa6object" + b"\x91" * 1015 + b"\0\x80", [], "a string"),
        (head(["object", "Image", []]), [], "expected a mapping"),
        (head(["object", "Image", {"colour": "gray"}]), [], "Image has the fields data, colour"),
        (head(image(["array", "<f4", [2], bytes(8)])), [], r"refuses its fields: Image\.data"),
        (head(image(["list", 5])), [], "Image refuses its fields: .*must be an array"),
        (head(image(["array", "<f4", [0, 0], b""], ["list"])), [], "Image refuses"),
        (head(["object", "Quaternion", {"wxyz": 5}]), [], "Quaternion refuses its fields"),
        (head({"a": image(5)}), [], "Image refuses"),
        (head(geometry(scale=["tuple", 0.0, 1.0])), [], "Geometry refuses its .*scale"),
        (head(geometry(offset=["array", "|u1", [600], "raw"])), [KB[:600]], "refuses its fields"),
        (head(["object", "Arrays", {"arrays": 5, "geometry": None}]), [], "Arrays refuses"),
        (head(["object", "Arrays", {"arrays": {}, "geometry": 5}]), [], "Arrays refuses"),
        (head(["object", "Arrays", {"a": 5}]), [], "Arrays has the fields arrays, geometry"),
    ],
)  # fmt: skip
def test_what_is_no_message_is_refused(data: bytes, buffers: list[bytes], words: str) -> None:
    with pytest.raises(WireError, match=words):
        decode(data, buffers, TYPES)


def test_arrays_that_are_too_large_together_are_refused() -> None:
    half = np.zeros(TOTAL // 2 + 1, np.uint8)  # never touched, so that it takes no memory
    message = encode([half], HEADER)
    assert decode(*message, TYPES).payload[0].nbytes == half.nbytes
    with pytest.raises(WireError, match=r"payload\[1\]: a message has more than 2147483648 bytes"):
        encode([half, half], HEADER)
    said = ["array", "|u1", [half.size], "raw"]
    with pytest.raises(WireError, match="a message has more than 2147483648 bytes"):
        decode(head(["list", said, said]), [half, half], TYPES)


def test_nesting_is_limited_where_it_is_read_too() -> None:
    deep: Any = 1
    for _ in range(NESTING):
        deep = ["list", deep]
    decode(head(deep), [], TYPES)
    for deeper in (
        ["list", deep],
        ["tuple", deep],
        {"a": deep},
        ["object", "Text", {"text": deep}],
    ):
        with pytest.raises(WireError, match="nested more than"):
            decode(head(deeper), [], TYPES)


def test_a_head_of_another_version_is_refused_whatever_follows() -> None:
    for length in (0, 18, 40):
        other = struct.pack("<4sH", b"holo", 9) + b"\xff" * length
        with pytest.raises(WireError, match="version 9"):
            decode(other, [], TYPES)
