"""Joins in order of arrival that are known to fall out of step."""

from __future__ import annotations

from pathlib import Path

import pytest

from holoflow.app import load
from holoflow.core.errors import AppError

OPERATORS = '''
from collections.abc import Iterator

from holoflow import Image, Operator

class SieveOp(Operator):
    """May send nothing."""
    def process(self, image: Image) -> Image | None:
        return image

class TilesOp(Operator):
    """May send several."""
    def process(self, image: Image) -> Iterator[Image]:
        yield image

class PassOp(Operator):
    """Sends one for one."""
    def process(self, image: Image) -> Image:
        return image

class PairOp(Operator):
    """Joins two."""
    def process(self, a: Image, b: Image) -> None: ...
'''


def read(folder: Path, between: str, right_rate: str = "30hz", sync: str = "") -> None:
    (folder / "ops.py").write_text(OPERATORS)
    (folder / "app.yaml").write_text(f"""app: pairs
operators:
  left: {{type: capture.synthetic, with: {{rate: 30hz}}}}
  right: {{type: capture.synthetic, with: {{rate: {right_rate}}}}}
  between: {between}
  pair:
    type: "./ops.py:PairOp"
    inputs:
      a: left.image
      b: between
    {sync}
""")
    load(folder / "app.yaml")


@pytest.mark.parametrize(
    ("between", "rate", "wrong"),
    [
        ('{type: "./ops.py:SieveOp", inputs: {image: right.image}}', "30hz",
         "'between' may send nothing for a frame"),
        ('{type: "./ops.py:TilesOp", inputs: {image: right.image}}', "30hz",
         "'between' may send several messages for one"),
        ('{type: "./ops.py:PassOp", inputs: {image: right.image}, on_error: skip}', "30hz",
         "'between' skips frames that it fails on"),
        ('{type: "./ops.py:PassOp", inputs: {image: {from: right.image, when_full: drop_oldest}}}',
         "30hz", "the flow from 'right.image' drops messages when it is full"),
        ("{type: flow.merge, inputs: {messages: [right.image, right.image]}}", "30hz",
         "'between' sends what arrives at any of its inputs"),
        ('{type: "./ops.py:PassOp", inputs: {image: right.image}}', "10hz",
         "their rates differ: 'left' 30 and 'right' 10 a second"),
    ],
)  # fmt: skip
def test_sources_that_fall_out_of_step(tmp_path: Path, between: str, rate: str, wrong: str) -> None:
    with pytest.raises(AppError) as caught:
        read(tmp_path, between, rate)
    (mistake,) = caught.value.mistakes
    assert (mistake.location.line, wrong in mistake.wrong) == (10, True), mistake
    assert "sync: {leader: a, tolerance: 20ms}" in mistake.right
    read(tmp_path, between, rate, "sync: {leader: a, tolerance: 20ms}")
    read(tmp_path, between, rate, "sync: arrival")
    read(tmp_path, between.replace("right.image", "left.image"), rate)  # by frame


def test_sources_in_step(tmp_path: Path) -> None:
    read(tmp_path, '{type: "./ops.py:PassOp", inputs: {image: right.image}}')


def test_a_word_that_sync_does_not_know(tmp_path: Path) -> None:
    with pytest.raises(AppError, match="sync cannot be 'arival'"):
        read(
            tmp_path, '{type: "./ops.py:PassOp", inputs: {image: right.image}}', sync="sync: arival"
        )
