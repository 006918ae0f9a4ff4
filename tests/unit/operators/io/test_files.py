"""Writers of a fragment that is started again go on with what its dead process has left."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holoflow import Header, HoloflowError, Image
from holoflow.core.operator import OperatorContext
from holoflow.operators.io._files import NumberedFiles, NumberSet, cut_to_whole_lines, part_name
from holoflow.operators.io.image_writer import ImageWriterOp
from holoflow.operators.io.json_lines import JsonLinesOp
from holoflow.operators.io.video_writer import VideoWriterOp

FRAME = Image(np.zeros((16, 16, 3), np.uint8))


def started(operator, folder, generation):
    operator.context = OperatorContext(output=folder, generation=generation)
    operator.start()
    return operator


@given(
    st.lists(st.binary(max_size=9).map(lambda text: text.replace(b"\n", b"")), max_size=5),
    st.binary(max_size=9),
)
def test_a_line_that_was_cut_off_is_removed(tmp_path_factory, lines, rest):
    file = tmp_path_factory.mktemp("lines") / "file"
    whole = b"".join(line + b"\n" for line in lines)
    file.write_bytes(whole + rest.replace(b"\n", b""))
    cut_to_whole_lines(file)
    assert file.read_bytes() == whole


def test_a_very_long_cut_line_is_removed(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"one\n" + b"x" * 200_000)
    cut_to_whole_lines(file)
    assert file.read_bytes() == b"one\n"
    cut_to_whole_lines(tmp_path / "missing")


def test_json_lines_go_on(tmp_path):
    first = started(JsonLinesOp(), tmp_path, 0)
    first.process(Header(0, 0, "a"))
    first.stop()
    with (tmp_path / "results.jsonl").open("ab") as file:
        file.write(b'{"sequence":1,"tim')
    second = started(JsonLinesOp(), tmp_path, 1)
    second.process(Header(2, 0, "a"))
    second.stop()
    text = (tmp_path / "results.jsonl").read_text()
    assert [json.loads(line)["sequence"] for line in text.splitlines()] == [0, 2]


def test_a_first_process_begins_anew(tmp_path):
    (tmp_path / "results.jsonl").write_text("of another run\n")
    started(JsonLinesOp(), tmp_path, 0).stop()
    assert (tmp_path / "results.jsonl").read_text() == ""


def test_a_clip_has_a_file_for_each_process(tmp_path):
    for generation in range(3):
        writer = started(VideoWriterOp(path="of/clip.mp4", codec="mpeg4"), tmp_path, generation)
        writer.process(FRAME, Header(0, 0, "a"))
        writer.stop()
    assert sorted(file.name for file in (tmp_path / "of").iterdir()) == [
        "clip.2.mp4", "clip.3.mp4", "clip.mp4",
    ]  # fmt: skip
    assert part_name("clip.mp4", 0) == "clip.mp4"


@pytest.mark.parametrize("pattern", ["{index}.png", "of/{sequence}-{index}.png"])
def test_numbered_images_go_on_counting(tmp_path, pattern):
    for generation in range(2):
        writer = started(ImageWriterOp(path=pattern), tmp_path, generation)
        for sequence in range(2):
            writer.process(FRAME, Header(sequence, 0, "a"))
    assert len(list(tmp_path.rglob("*.png"))) == 4
    assert NumberedFiles(tmp_path, pattern, go_on=True).next(9).stem.endswith("000004")
    assert NumberedFiles(tmp_path, pattern).next(9).stem.endswith("000000")


@given(st.lists(st.integers(0, 30), max_size=60))
def test_a_number_is_taken_once(numbers):
    taken, seen = NumberSet(), set()
    for number in numbers:
        assert taken.add(number) == (number not in seen)
        seen.add(number)


def test_no_frame_overwrites_one_that_came_long_before(tmp_path):
    files = NumberedFiles(tmp_path, "{sequence}.png")
    names = [files.next(sequence).name for sequence in (0, 1, 4, 3)]
    assert names == ["000000.png", "000001.png", "000004.png", "000003.png"]
    with pytest.raises(HoloflowError, match=r"there are several messages of frame 1.*\{index\}"):
        files.next(1)
