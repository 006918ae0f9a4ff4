"""Records of calls as a table (CSV, Parquet) and in the format of HoloHub's scripts.

A row of the table is a call. Every row says which run it belongs to, so that tables of several
runs can be joined by any program that reads CSV.

A line of HoloHub's log is the path of a frame from a source to a sink, in microseconds since 1970:

    (camera,1790000000000100,1790000000000120) -> (detect,1790000000000410,1790000000031500)

Each operator has the times at which it received and published. A source receives when it has the
frame, any other operator when its call starts, so that the end-to-end times are those of reports.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

from holoflow.core.errors import HoloflowError, MissingExtraError, optional
from holoflow.report.export import perfetto
from holoflow.stats.records import CallRecord, Records

COLUMNS = (
    "app", "run", "epoch_ns", "operator", "fragment", "worker", "source", "sequence",
    "arrived_ns", "start_ns", "end_ns", "takes", "gives",
)  # fmt: skip
"""As in `Records` and `CallRecord`. In CSV, `takes` and `gives` are `a.out -> b.image#17; …`."""

MOST_CALLS = 5_000_000
"""Largest number of calls that are read from a file."""
_LONGEST_LINE = 1 << 16
_GREATEST = 1 << 63
_BATCH = 16_384
"""Rows that are converted to Parquet at once."""


def write_csv(records: Records, path: Path) -> None:
    """Write `records` to a CSV file; raises OSError if that fails."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for call in records.calls:
            row = (records.app, records.run, records.epoch, *call)
            writer.writerow((*row[:-2], _text(call.takes), _text(call.gives)))


def write_parquet(records: Records, path: Path) -> None:
    """Write `records` to a Parquet file.

    Raises:
        OSError: It cannot be written.
        MissingExtraError: pyarrow is not installed.
    """
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


def _columns(records: Records, calls: Sequence[CallRecord]) -> dict[str, list[Any]]:
    run = {"app": records.app, "run": records.run, "epoch_ns": records.epoch}
    columns: dict[str, list[Any]] = {name: [value] * len(calls) for name, value in run.items()}
    columns |= zip(COLUMNS[len(run) :], map(list, zip(*calls, strict=True)), strict=True)
    for name in ("takes", "gives"):
        columns[name] = [
            [{"flow": flow, "number": number} for flow, number in cell] for cell in columns[name]
        ]
    return columns


def read_records(path: Path) -> Records:
    """Return the records that `write_csv` has written.

    Raises:
        HoloflowError: The file is not valid; the message names the line.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return _read(path, file)
    except OSError as error:
        raise HoloflowError(f"{path} cannot be read: {error.strerror}") from None


def _read(path: Path, file: TextIO) -> Records:
    # A line may have any length, and there may be any number of calls.
    lines = iter(lambda: file.readline(_LONGEST_LINE), "")
    reader = csv.reader(lines, strict=True)
    calls: list[CallRecord] = []
    runs: set[tuple[str, str, int]] = set()
    try:
        _check_header(next(reader, []))
        for row in reader:
            if len(calls) == MOST_CALLS:
                raise HoloflowError(f"there are more than {MOST_CALLS:,} calls")
            run, call = _parse(row)
            calls.append(call)
            runs.add(run)
            if len(runs) > 1:
                raise HoloflowError(
                    "it belongs to another run than the lines before", "give one run"
                )
    except UnicodeDecodeError:
        raise HoloflowError(f"{path} is not a table of calls: it is not text") from None
    except csv.Error as error:
        raise HoloflowError(f"{path}:{max(reader.line_num, 1)}: {error}") from None
    except HoloflowError as error:
        wrong = f"{path}:{max(reader.line_num, 1)}: {error.wrong}"
        raise HoloflowError(wrong, error.right) from None
    if not calls:
        raise HoloflowError(f"{path} has no calls: no frame was traced")
    return Records(*runs.pop(), tuple(calls))


def _check_header(row: Sequence[str]) -> None:
    if tuple(row) != COLUMNS:
        right = f"its first line must be {','.join(COLUMNS)}"
        raise HoloflowError("not a table of calls", right)


def _parse(row: Sequence[str]) -> tuple[tuple[str, str, int], CallRecord]:
    """Return the run (app, run, epoch) and the call of a row; raises HoloflowError if invalid."""
    if len(row) != len(COLUMNS):
        wrong = f"{len(row)} columns instead of {len(COLUMNS)}"
        raise HoloflowError(wrong, "is the line truncated?")
    cells = dict(zip(COLUMNS, row, strict=True))
    sequence, arrived, start, end = (
        _number(name, cells[name]) for name in ("sequence", "arrived_ns", "start_ns", "end_ns")
    )
    if end < start:
        raise HoloflowError(f"the call ends (end_ns {end}) before it starts (start_ns {start})")
    call = CallRecord(
        cells["operator"], cells["fragment"], cells["worker"], cells["source"], sequence,
        arrived, start, end, _messages("takes", cells), _messages("gives", cells),
    )  # fmt: skip
    return (cells["app"], cells["run"], _number("epoch_ns", cells["epoch_ns"])), call


def _number(name: str, text: str) -> int:
    digits = text.removeprefix("-")
    value = int(text) if digits.isascii() and digits.isdigit() and len(digits) < 20 else None
    if value is None or not -_GREATEST <= value < _GREATEST:
        raise HoloflowError(f"{name} is {text[:40]!r}", "it must be a whole number")
    return value


def _text(messages: Sequence[tuple[str, int]]) -> str:
    return "; ".join(f"{flow}#{number}" for flow, number in messages)


def _messages(name: str, cells: dict[str, str]) -> tuple[tuple[str, int], ...]:
    return tuple(_split(name, text)) if (text := cells[name]) else ()


def _split(name: str, text: str) -> Iterator[tuple[str, int]]:
    for message in text.split("; "):
        flow, _, number = message.rpartition("#")
        if flow.count(" -> ") != 1:
            raise HoloflowError(f"{name} has {message[:80]!r}", "it must be 'a.out -> b.image#17'")
        yield flow, _number(f"the number of {flow[:80]!r} in {name}", number)


RECORDS = "records.csv"
"""Records of single frames, from which other exports are made."""
TRACE = "trace.pftrace"


def write_trace(folder: Path, records: Records) -> list[Path]:
    """Write `records` into `folder`, also as a Perfetto trace if perfetto is installed.

    Returns:
        The files that were written.

    Raises:
        OSError: One cannot be written.
    """
    written = [folder / RECORDS]
    write_csv(records, written[0])
    try:
        perfetto.write_trace(records, folder / TRACE)
        written.append(folder / TRACE)
    except MissingExtraError:
        pass
    return written


MOST_PATHS = 256
"""Largest number of paths that lead to one call of a sink; others are left out."""


def write_log(records: Records, path: Path) -> int:
    """Write HoloHub's log to `path` and return its number of lines; raises OSError on failure."""
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for calls in paths(records):
            file.write(" -> ".join(_stop(call, records.epoch) for call in calls) + "\n")
            count += 1
    return count


def paths(records: Records) -> Iterator[tuple[CallRecord, ...]]:
    """Yield every path from a source to a sink whose calls are all in `records`.

    A sink is an operator that sends nothing. Paths are ordered by their ends; a path that passes an
    operator twice, by a back edge, is left out.
    """
    sending = {call.operator for call in records.calls if call.gives}
    senders: dict[tuple[str, int], CallRecord] = {}
    """By message: the call that sent it, if a path leads to it from a source."""
    for call in sorted(records.calls, key=lambda call: call.end):
        if not call.takes or any(message in senders for message in call.takes):
            senders.update(dict.fromkeys(call.gives, call))
        if call.operator not in sending:
            # Flows between the same operators by different ports would give equal lines.
            yield from dict.fromkeys(islice(_paths_to((call,), senders), MOST_PATHS))


def _paths_to(
    tail: tuple[CallRecord, ...], senders: Mapping[tuple[str, int], CallRecord]
) -> Iterator[tuple[CallRecord, ...]]:
    """Yield the paths from a source that continue with `tail`."""
    if not tail[0].takes:
        yield tail
    passed = {call.operator for call in tail}
    for message in tail[0].takes:
        sender = senders.get(message)
        if sender is not None and sender.operator not in passed:
            yield from _paths_to((sender, *tail), senders)


def _stop(call: CallRecord, epoch: int) -> str:
    received = call.start if call.takes else call.arrived
    return f"({call.operator},{(received + epoch) // 1000},{(call.end + epoch) // 1000})"
