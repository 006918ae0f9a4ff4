"""Files that are there whole or not at all."""

import os
import resource
import stat

import pytest

from holoflow.core.files import replacing, write_whole


def test_what_is_read_meanwhile_is_the_old_file(tmp_path):
    path = tmp_path / "file"
    write_whole(path, b"old")
    with replacing(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("before", [None, b"old"])
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_what_fails_leaves_all_as_it_was(tmp_path, before, error):
    path = tmp_path / "file"
    if before is not None:
        path.write_bytes(before)
    with pytest.raises(error), replacing(path) as file:  # noqa: PT012
        file.write(b"new")
        raise error
    assert [entry.read_bytes() for entry in tmp_path.iterdir()] == [before] * (before is not None)


def test_so_does_a_full_disk(tmp_path):
    path = tmp_path / "file"
    write_whole(path, b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8, hard))
    try:
        with pytest.raises(OSError, match="too large"):
            write_whole(path, b"longer than eight bytes")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize(("mode", "has"), [(0o600, 0o600), (0o666, 0o640)])
def test_a_file_is_its_owners_alone_unless_said_otherwise(tmp_path, mode, has):
    before = os.umask(0o027)
    try:
        write_whole(tmp_path / "file", b"", mode, durable=True)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == has
