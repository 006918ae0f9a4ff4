"""Writing a folder of files."""

from __future__ import annotations

import stat

import pytest

from holoflow.core.errors import HoloflowError
from holoflow.deploy.output import File, ignoring, read, write


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_files_have_their_modes(tmp_path):
    folder = tmp_path / "new" / "er"
    write(folder, [File("a", "1"), File("keys/b", "2", mode=0o644, folder_mode=0o700)])
    assert (folder / "a").read_text() == "1"
    assert mode(folder / "keys") == 0o700
    assert mode(folder / "keys" / "b") == 0o644
    write(folder, [File("a", "3", mode=0o600)])
    assert (read(folder / "a"), mode(folder / "a")) == ("3", 0o600)
    assert sorted(path.name for path in folder.rglob("*")) == ["a", "b", "keys"]


def test_one_that_cannot_be_written_leaves_all_as_it_was(tmp_path):
    write(tmp_path, [File("a", "old")])
    (tmp_path / "b").mkdir()
    with pytest.raises(HoloflowError, match="b: it is a folder"):
        write(tmp_path, [File("a", "new"), File("b", "new")])
    assert read(tmp_path / "a") == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_a_folder_that_is_a_file(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(HoloflowError, match="cannot write"):
        write(tmp_path / "out", [File("a", "new")])


def test_what_git_ignores(tmp_path):
    (tmp_path / ".gitignore").write_text("mine")
    write(tmp_path, [ignoring(tmp_path, "keys/")])
    write(tmp_path, [ignoring(tmp_path, "keys/")])
    assert read(tmp_path / ".gitignore") == "mine\nkeys/\n"


def test_what_is_not_there_and_what_cannot_be_read(tmp_path):
    assert read(tmp_path / "none") is None
    with pytest.raises(HoloflowError, match="cannot read"):
        read(tmp_path)
