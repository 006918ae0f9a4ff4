"""Raw calls as a table: CSV, which a run leaves and which is read back, and Parquet.

A row is a call. Every row says which run it is of, so that tables of several runs can be joined
and any program that reads CSV can take them as they are.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

from holoflow.errors import HoloflowError
from holoflow.extras import optional
from holoflow.flow.records import Call, Records

COLUMNS = (
    "app", "run", "epoch_ns", "operator", "fragment", "worker", "source", "sequence",
    "arrived_ns", "start_ns", "end_ns", "takes", "gives",
)  # fmt: skip
"""As in `Records` and `Call`. `takes` and `gives` are `a.out -> b.image#17; …` in CSV."""

MOST_CALLS = 5_000_000
"""That are read from a file."""
_LONGEST_LINE = 1 << 16
_GREATEST = 1 << 63
_BATCH = 16_384
"""Rows that are turned into Parquet at once."""


def write_csv(records: Records, path: Path) -> None:
    """Write `records` to a CSV file; raises OSError."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for call in records.calls:
            row = (records.app, records.run, records.epoch, *call)
            writer.writerow((*row[:-2], _text(call.takes), _text(call.gives)))


def write_parquet(records: Records, path: Path) -> None:
    """Write `records` to a Parquet file; raises OSError and `MissingExtraError`."""
    pa = optional("pyarrow", "parquet")
    parquet = optional("pyarrow.parquet", "parquet")
    name = pa.dictionary(pa.int32(), pa.string())
    messages = pa.list_(pa.struct([("flow", pa.string()), ("number", pa.int64())]))
    numbers = {"epoch_ns", "sequence", "arrived_ns", "start_ns", "end_ns"}
    kinds = dict.fromkeys(COLUMNS, name) | dict.fromkeys(numbers, pa.int64())
    schema = pa.schema(list((kinds | {"takes": messages, "gives": messages}).items()))
    calls = iter(records.calls)
    with parquet.ParquetWriter(path, schema) as writer:
        while batch := list(islice(calls, _BATCH)):
            writer.write_table(pa.table(_columns(records, batch), schema=schema))


def _columns(records: Records, calls: Sequence[Call]) -> dict[str, list[Any]]:
    run = {"app": records.app, "run": records.run, "epoch_ns": records.epoch}
    columns: dict[str, list[Any]] = {name: [value] * len(calls) for name, value in run.items()}
    columns |= zip(COLUMNS[len(run) :], map(list, zip(*calls, strict=True)), strict=True)
    for name in ("takes", "gives"):
        columns[name] = [
            [{"flow": flow, "number": number} for flow, number in cell] for cell in columns[name]
        ]
    return columns


def read_records(path: Path) -> Records:
    """Read what `write_csv` wrote; raises HoloflowError that names the line where it is not."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return _read(path, file)
    except OSError as error:
        raise HoloflowError(f"{path} cannot be read: {error.strerror}") from None


def _read(path: Path, file: TextIO) -> Records:
    # A line may be of any length, and of calls there may be any number.
    lines = iter(lambda: file.readline(_LONGEST_LINE), "")
    reader = csv.reader(lines, strict=True)
    calls: list[Call] = []
    runs: set[tuple[str, str, int]] = set()
    try:
        _check_header(next(reader, []))
        for row in reader:
            if len(calls) == MOST_CALLS:
                raise ValueError(f"there are more than {MOST_CALLS:,} calls")
            run, call = _parse(row)
            calls.append(call)
            runs.add(run)
            if len(runs) > 1:
                raise ValueError("it is of another run than the lines before; give one run")
    except UnicodeDecodeError:
        raise HoloflowError(f"{path} is not a table of calls: it is not text") from None
    except (ValueError, csv.Error) as error:
        raise HoloflowError(f"{path}:{max(reader.line_num, 1)}: {error}") from None
    if not calls:
        raise HoloflowError(f"{path} holds no calls: no frame was traced")
    return Records(*runs.pop(), tuple(calls))


def _check_header(row: Sequence[str]) -> None:
    if tuple(row) != COLUMNS:
        raise ValueError(f"not a table of calls; its first line would be {','.join(COLUMNS)}")


def _parse(row: Sequence[str]) -> tuple[tuple[str, str, int], Call]:
    """Return the run (app, run, epoch) and the call of a row; raises ValueError."""
    if len(row) != len(COLUMNS):
        raise ValueError(f"{len(row)} columns instead of {len(COLUMNS)}; is the line cut off?")
    cells = dict(zip(COLUMNS, row, strict=True))
    sequence, arrived, start, end = (
        _number(name, cells[name]) for name in ("sequence", "arrived_ns", "start_ns", "end_ns")
    )
    if end < start:
        raise ValueError(f"the call ends (end_ns {end}) before it starts (start_ns {start})")
    call = Call(
        cells["operator"], cells["fragment"], cells["worker"], cells["source"], sequence,
        arrived, start, end, _messages("takes", cells), _messages("gives", cells),
    )  # fmt: skip
    return (cells["app"], cells["run"], _number("epoch_ns", cells["epoch_ns"])), call


def _number(name: str, text: str) -> int:
    digits = text.removeprefix("-")
    value = int(text) if digits.isascii() and digits.isdigit() and len(digits) < 20 else None
    if value is None or not -_GREATEST <= value < _GREATEST:
        raise ValueError(f"{name} is {text[:40]!r}; it would be a whole number")
    return value


def _text(messages: Sequence[tuple[str, int]]) -> str:
    return "; ".join(f"{flow}#{number}" for flow, number in messages)


def _messages(name: str, cells: dict[str, str]) -> tuple[tuple[str, int], ...]:
    return tuple(_split(name, text)) if (text := cells[name]) else ()


def _split(name: str, text: str) -> Iterator[tuple[str, int]]:
    for message in text.split("; "):
        flow, _, number = message.rpartition("#")
        if flow.count(" -> ") != 1:
            raise ValueError(f"{name} has {message[:80]!r}; it would be 'a.out -> b.image#17'")
        yield flow, _number(f"the number of {flow[:80]!r} in {name}", number)
