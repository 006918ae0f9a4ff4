from holoflow.cli.summary import FEW, state, written


def test_only_what_is_new_or_changed_counts(tmp_path):
    (tmp_path / "old.txt").write_text("old")
    (tmp_path / "changed.txt").write_text("one")
    before = state(tmp_path)
    (tmp_path / "changed.txt").write_text("longer")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "new.mp4").write_bytes(bytes(2000))
    found = written(before, state(tmp_path))
    assert [str(item) for item in found] == ["changed.txt  6 B", "deep/new.mp4  2 kB"]


def test_many_of_a_kind_are_one_line(tmp_path):
    for number in range(FEW + 1):
        (tmp_path / f"{number}.png").write_bytes(bytes(10))
    (tmp_path / "only.txt").write_text("one")
    found = written({}, state(tmp_path))
    assert [str(item) for item in found] == ["*.png  9 files,  90 B", "only.txt  3 B"]
