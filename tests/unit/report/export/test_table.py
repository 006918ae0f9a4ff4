import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet
from support.records import EPOCH, faces

from holoflow.core.errors import HoloflowError
from holoflow.report.export import table
from holoflow.stats.records import CallRecord, Records

NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
NUMBERS = st.integers(-(2**63), 2**63 - 1)
PORTS = st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,9}\.[a-z]{1,9}", fullmatch=True)
MESSAGES = st.lists(
    st.tuples(st.builds("{} -> {}".format, PORTS, PORTS), NUMBERS), max_size=4
).map(tuple)  # fmt: skip


@st.composite
def calls(draw):
    start, end = sorted(draw(st.tuples(NUMBERS, NUMBERS)))
    return CallRecord(
        *[draw(NAMES) for _ in range(4)], draw(NUMBERS), draw(NUMBERS), start, end,
        draw(MESSAGES), draw(MESSAGES),
    )  # fmt: skip


RECORDS = st.builds(
    Records, NAMES, NAMES, NUMBERS, st.lists(calls(), min_size=1, max_size=5).map(tuple)
)


@pytest.mark.slow
@given(RECORDS)
def test_what_was_written_is_read_back(tmp_path_factory, records):
    file = tmp_path_factory.getbasetemp() / "records.csv"
    table.write_csv(records, file)
    assert table.read_records(file) == records


def test_any_program_can_read_it(tmp_path):
    table.write_csv(faces(), tmp_path / "records.csv")
    with (tmp_path / "records.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(faces().calls)
    overlay = next(row for row in rows if row["operator"] == "overlay")
    assert overlay["takes"] == "camera.out -> overlay.image#1; detect.out -> overlay.boxes#2"
    assert (overlay["app"], overlay["run"], overlay["epoch_ns"]) == ("faces", "a1b2c3", str(EPOCH))


@pytest.mark.parametrize("frames", [1, 40])
def test_parquet_holds_the_same(tmp_path, monkeypatch, frames):
    monkeypatch.setattr(table, "_BATCH", 64)
    records = faces(frames)
    table.write_parquet(records, tmp_path / "records.parquet")
    found = parquet.read_table(tmp_path / "records.parquet")
    assert found.column_names == list(table.COLUMNS)
    assert found.num_rows == len(records.calls)
    for row, call in zip(found.to_pylist(), records.calls, strict=True):
        takes, gives = (
            tuple((message["flow"], message["number"]) for message in row.pop(name))
            for name in ("takes", "gives")
        )
        assert (takes, gives) == (call.takes, call.gives)
        assert list(row.values()) == ["faces", "a1b2c3", EPOCH, *call[:-2]]


def changed(column, value):
    """A file whose third line has `value` in `column`."""

    def change(lines):
        row = lines[2].split(",")
        row[table.COLUMNS.index(column)] = value
        return [*lines[:2], ",".join(row), *lines[3:]]

    return change


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda lines: [], ":1: not a table of calls; its first line must be app,run,epoch_ns,"),
        (lambda lines: ["time,value", "1,2"], ":1: not a table of calls"),
        (lambda lines: lines[:1], " has no calls: no frame was traced"),
        (lambda lines: [*lines[:4], lines[4][:60]], r":5: 7 columns instead of 13; is the line"),
        (changed("start_ns", "soon"), ":3: start_ns is 'soon'; it must be a whole number"),
        (changed("sequence", "1.5"), ":3: sequence is '1.5'"),
        (changed("sequence", "9" * 5000), ":3: sequence is '9999"),
        (changed("arrived_ns", str(2**63)), ":3: arrived_ns is '9223372036854775808'"),
        (changed("arrived_ns", "٣"), ":3: arrived_ns is '٣'"),
        (changed("epoch_ns", ""), ":3: epoch_ns is ''"),
        (changed("start_ns", str(2**62)), r":3: the call ends \(end_ns \d+\) before it starts"),
        (changed("takes", "camera.out"), ":3: takes has 'camera.out'; it must be 'a.out -> b."),
        (changed("takes", "a.x -> b.y#z"), ":3: the number of 'a.x -> b.y' in takes is 'z'"),
        (changed("run", "other"), ":3: it belongs to another run than the lines before"),
        (changed("app", '"x'), ": unexpected end of data"),
        (changed("worker", "w" * 100_000), ":[34]: "),
    ],
)
def test_a_broken_file_is_refused_by_its_line(tmp_path, change, complaint):
    file = tmp_path / "records.csv"
    table.write_csv(faces(), file)
    file.write_text("".join(f"{line}\n" for line in change(file.read_text().splitlines())))
    with pytest.raises(HoloflowError, match=complaint) as caught:
        table.read_records(file)
    assert str(caught.value).startswith(str(file))
    assert "\n" not in str(caught.value)


def test_what_is_no_text_or_missing_is_refused(tmp_path):
    (tmp_path / "x").write_bytes(b"\xff\x00\x89PNG")
    with pytest.raises(HoloflowError, match="it is not text"):
        table.read_records(tmp_path / "x")
    with pytest.raises(HoloflowError, match="cannot be read: No such file"):
        table.read_records(tmp_path / "y")
    with pytest.raises(HoloflowError, match="cannot be read: Is a directory"):
        table.read_records(tmp_path)


def test_as_many_calls_as_fit_are_read(tmp_path, monkeypatch):
    file = tmp_path / "records.csv"
    table.write_csv(faces(), file)
    monkeypatch.setattr(table, "MOST_CALLS", len(faces().calls))
    assert table.read_records(file) == faces()
    monkeypatch.setattr(table, "MOST_CALLS", len(faces().calls) - 1)
    with pytest.raises(HoloflowError, match="there are more than 17 calls"):
        table.read_records(file)
