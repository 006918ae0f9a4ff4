import pytest
from support.records import faces

from holoflow.core.errors import MissingExtraError
from holoflow.report.export import perfetto, table


def test_a_traced_run_leaves_records_and_a_trace(tmp_path):
    written = table.write_trace(tmp_path, faces())
    assert written == [tmp_path / "records.csv", tmp_path / "trace.pftrace"]
    assert sorted(tmp_path.iterdir()) == written
    assert table.read_records(written[0]) == faces()


def test_without_perfetto_it_leaves_the_records(tmp_path, monkeypatch):
    def missing(module, extra):
        raise MissingExtraError(module, extra)

    monkeypatch.setattr(perfetto, "optional", missing)
    assert table.write_trace(tmp_path, faces()) == [tmp_path / "records.csv"]
    assert sorted(tmp_path.iterdir()) == [tmp_path / "records.csv"]


def test_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"holoflow\[parquet\]"):
        table.write_parquet(faces(), tmp_path / "records.parquet")
