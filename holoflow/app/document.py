"""Parsing of YAML text into values that know their places. Safe for any input."""

from __future__ import annotations

import enum
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from ruamel.yaml import YAML, events
from ruamel.yaml.error import MarkedYAMLError, StringMark
from ruamel.yaml.reader import ReaderError

from holoflow.app.mistakes import Report, short
from holoflow.core.errors import Location
from holoflow.core.text import size

Scalar: TypeAlias = "str | int | float | bool | None"

_WORDS: dict[str, Scalar] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True,
    "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_INTEGER = re.compile(r"[-+]?[0-9]{1,400}")
_OCTAL = re.compile(r"0o[0-7]{1,400}")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]{1,400}")
_REAL = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_INFINITE = re.compile(r"([-+]?)\.(?:inf|Inf|INF)")
_NOT_A_NUMBER = re.compile(r"\.(?:nan|NaN|NAN)")

YAML_1_1_BOOLEANS = frozenset({"yes", "no", "on", "off"})
"""Words, in lower case, that are booleans in YAML 1.1 and text in YAML 1.2."""


def read_scalar(text: str) -> Scalar:
    """Return the value of the unquoted `text` in the core schema of YAML 1.2.

    Integers of more than 400 digits are read as text.
    """
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "+-.0123456789":
        return text
    if _INTEGER.fullmatch(text):
        return int(text)
    if _OCTAL.fullmatch(text):
        return int(text[2:], 8)
    if _HEXADECIMAL.fullmatch(text):
        return int(text[2:], 16)
    if len(text) <= 400 and _REAL.fullmatch(text):
        return float(text)
    if match := _INFINITE.fullmatch(text):
        return float(match[1] + "inf")
    if _NOT_A_NUMBER.fullmatch(text):
        return float("nan")
    return text


MAX_BYTES = 4_000_000
"""Largest file that is read; an app of 10,000 operators takes about one."""
MAX_VALUES = 1_000_000
"""Values in a file; the value of an alias counts as often as it is used."""
MAX_DEPTH = 32
"""Levels of nested mappings and lists."""

SURROGATE = re.compile("[\ud800-\udfff]")


class Broken(enum.Enum):
    """Marks where a mistake has been reported: nothing more is checked there."""

    BROKEN = enum.auto()


BROKEN = Broken.BROKEN


@dataclass(slots=True, eq=False)
class Value:
    """A value of a YAML file and its place."""

    data: Scalar | list[Value] | dict[str, Value] | Broken
    at: Location
    text: str = ""
    """Of a scalar: as written, without quotes."""
    keys: dict[str, Location] = field(default_factory=dict)
    """Of a mapping: places of its keys."""
    size: int = 1
    """Number of values in it, itself included."""
    depth: int = 0
    """Levels of mappings and lists in it."""

    @property
    def mapping(self) -> dict[str, Value]:
        """Its entries; none if it is not a mapping."""
        return self.data if isinstance(self.data, dict) else {}

    def get(self, *path: str) -> Value | None:
        """Return the value at `path` inside nested mappings; None if there is none."""
        found: Value | None = self
        for key in path:
            found = found.mapping.get(key) if found is not None else None
        return found


Plain: TypeAlias = "Scalar | list[Plain] | dict[str, Plain]"


def plain(value: Value) -> Plain | Broken:
    """Return `value` without places.

    Mapping entries that are broken, or are lists with something broken inside, are left out.
    """
    data = value.data
    if isinstance(data, dict):
        entries = ((key, plain(item)) for key, item in data.items())
        return {key: item for key, item in entries if not isinstance(item, Broken)}
    if isinstance(data, list):
        items: list[Plain] = []
        for item in map(plain, data):
            if isinstance(item, Broken):
                return BROKEN
            items.append(item)
        return items
    return data


def is_whole(value: Value) -> bool:
    """Whether nothing in `value` is broken."""
    data = value.data
    inner = data.values() if isinstance(data, dict) else data if isinstance(data, list) else ()
    return data is not BROKEN and all(is_whole(item) for item in inner)


def read_file(path: Path, report: Report) -> Value | None:
    """Read the YAML file at `path`; report it and return None if it cannot be read."""
    start = Location(str(path))
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            what = "a folder" if stat.S_ISDIR(status.st_mode) else "not a regular file"
            report.add(start, f"this is {what}", "name a YAML file")
            return None
        if status.st_size > MAX_BYTES:
            held = size(status.st_size)
            report.add(start, f"the file has {held}", f"at most {size(MAX_BYTES)} are read")
            return None
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES)
    except FileNotFoundError:
        report.add(start, "there is no such file", "check the path")
        return None
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        reason = getattr(error, "strerror", None) or error
        report.add(start, f"the file cannot be read: {reason}")
        return None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8", errors="replace")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        place = Location(str(path), line, column)
        report.add(place, f"byte 0x{raw[error.start]:02x} is not UTF-8", "save the file as UTF-8")
        return None
    return parse(text, str(path), report)


def parse(text: str, file: str, report: Report) -> Value | None:
    """Parse YAML `text`; report it and return None if that is impossible.

    Duplicate keys, keys that are not text, tags and the like are reported and become `BROKEN`
    or are left out, so that the rest can be checked.
    """
    composer = _Composer(file, report)
    try:
        return composer.document(text)
    except _GiveUpError:
        return None


class _GiveUpError(Exception):
    """There is no point in reading on; the reason has been reported."""


class _Composer:
    def __init__(self, file: str, report: Report) -> None:
        self.file = file
        self.report = report
        self.anchors: dict[str, Value | None] = {}
        self.count = 0
        self.last = Location(file)

    def place(self, mark: StringMark) -> Location:
        return Location(self.file, mark.line + 1, mark.column + 1)

    def document(self, text: str) -> Value:
        stream = self.stream(text)
        root: Value | None = None
        for event in stream:
            if isinstance(event, events.DocumentStartEvent):
                if root is not None:
                    at = self.place(event.start_mark)
                    self.report.add(at, "a second document starts here", "write one per file")
                    break
                root = self.value(next(stream), stream, 0)
        if root is None or root.data is None:
            self.report.add(Location(self.file), "the file is empty", "write app: and operators:")
            raise _GiveUpError
        return root

    def stream(self, text: str) -> Iterator[events.Event]:
        yaml = YAML(typ="safe", pure=True)
        try:
            for event in yaml.parse(text):
                self.last = self.place(event.start_mark)
                yield event
        except MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            at = self.place(mark) if mark is not None else self.last
            context = f" ({error.context})" if error.context else ""
            self.report.add(at, f"not valid YAML: {error.problem}{context}")
            raise _GiveUpError from None
        except ReaderError as error:
            before = text[: error.position]
            line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
            at = Location(self.file, line, column)
            what = f"character U+{ord(text[error.position]):04X}"
            self.report.add(at, f"not valid YAML: {what} is not allowed")
            raise _GiveUpError from None
        except (ValueError, OverflowError, LookupError, AttributeError, AssertionError) as error:
            # Errors that ruamel.yaml does not wrap, such as chr() of an escape too large.
            self.report.add(self.last, f"not valid YAML from here on: {error}")
            raise _GiveUpError from None

    def value(self, event: Any, stream: Iterator[events.Event], level: int) -> Value:
        at = self.place(event.start_mark)
        if isinstance(event, events.AliasEvent):
            return self.alias(event.anchor, at, level)
        anchor: str | None = event.anchor
        if anchor:
            self.anchors[anchor] = None
        self.spend(1, at)
        if isinstance(event, events.ScalarEvent):
            value = self.scalar(event, at)
        elif level >= MAX_DEPTH:
            self.report.add(at, f"more than {MAX_DEPTH} levels of nesting", "nest less")
            raise _GiveUpError
        elif isinstance(event, events.SequenceStartEvent):
            value = self.sequence(stream, at, level)
        else:
            value = self.mapping(stream, at, level)
        if event.tag is not None:
            self.report.add(at, f"the tag {short(str(event.tag))}", "tags are not used here")
            value.data = BROKEN
        if anchor:
            self.anchors[anchor] = value
        return value

    def spend(self, count: int, at: Location) -> None:
        self.count += count
        if self.count > MAX_VALUES:
            self.report.add(at, f"more than {MAX_VALUES:,} values, aliases expanded", "use fewer")
            raise _GiveUpError

    def alias(self, anchor: str, at: Location, level: int) -> Value:
        if anchor not in self.anchors:
            known = self.anchors
            self.report.unknown(at, "alias", anchor, known, f"no &{anchor} comes before it")
            return Value(BROKEN, at)
        value = self.anchors[anchor]
        if value is None:
            wrong = f"the alias *{anchor} is inside the value that it names"
            self.report.add(at, wrong, "write it out")
            return Value(BROKEN, at)
        self.spend(value.size, at)
        if level + value.depth > MAX_DEPTH:
            self.report.add(at, f"more than {MAX_DEPTH} levels of nesting", "nest less")
            raise _GiveUpError
        return value

    def scalar(self, event: events.ScalarEvent, at: Location) -> Value:
        text: str = event.value
        if SURROGATE.search(text):
            self.report.add(at, "half a character (a lone surrogate)", "write the character itself")
            return Value(BROKEN, at)
        return Value(read_scalar(text) if event.style is None else text, at, text)

    def sequence(self, stream: Iterator[events.Event], at: Location, level: int) -> Value:
        items = []
        for event in stream:
            if isinstance(event, events.SequenceEndEvent):
                break
            items.append(self.value(event, stream, level + 1))
        size = 1 + sum(item.size for item in items)
        return Value(items, at, size=size, depth=1 + max((i.depth for i in items), default=0))

    def mapping(self, stream: Iterator[events.Event], at: Location, level: int) -> Value:
        entries: dict[str, Value] = {}
        result = Value(entries, at, depth=1)
        for event in stream:
            if isinstance(event, events.MappingEndEvent):
                break
            style = getattr(event, "style", None)
            key = self.value(event, stream, level + 1)
            item = self.value(next(stream), stream, level + 1)
            name = self.key(key, unquoted=style is None)
            if name is None:
                continue
            if name in entries:
                right = f"keep one (the first is in line {result.keys[name].line})"
                self.report.add(key.at, f"duplicate key {short(name)}", right)
                continue
            entries[name], result.keys[name] = item, key.at
            result.size += item.size
            result.depth = max(result.depth, 1 + item.depth)
        return result

    def key(self, key: Value, *, unquoted: bool) -> str | None:
        """Return the text of a key; report it and return None if it cannot be one."""
        if isinstance(key.data, str):
            if not unquoted or key.data.lower() not in YAML_1_1_BOOLEANS:
                return key.data
            right = f'choose another, or write "{key.data}" in quotes'
            self.report.add(key.at, f"the key {key.data!r} is a boolean in YAML 1.1", right)
        elif isinstance(key.data, (list, dict)):
            self.report.add(key.at, "a key that is a list or a mapping", "a key must be text")
        elif not isinstance(key.data, Broken):
            right = f'write "{key.text}" in quotes'
            self.report.add(key.at, f"the key {short(key.text or '(nothing)')} is not text", right)
        return None
