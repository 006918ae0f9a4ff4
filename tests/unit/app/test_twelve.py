from pathlib import Path

import pytest

from holoflow.core.errors import AppError

TWELVE = """\
app: twelve
colour: red
operators:
  camera:
    type: ./ops.py:CameraOp
    with: {rate: 30}
  file:
    type: ./ops.py:FileOp
  gray:
    type: ./ops.py:GrayOp
    inputs: {image: camera}
    with: {level: 2, fast: yes, nmaes: [a]}
  detect:
    type: ./ops.py:DetectOp
    inputs: {image: gry}
  screen:
    type: ./ops.py:ScreenOp
    inputs:
      image: detect
      boxes: file
    on_error: stop
    on_error: skip
  writer:
    type: io.wrtier
budgets:
  - {from: screen, to: camera, p99: 50ms}
"""

MESSAGES = """\
app.yaml:2:1: unknown key 'colour'; known here: app, assets, budgets, defaults, description, \
extends, fragments, fuse, …
app.yaml:6:18: 'rate': a bare number where a unit belongs: 30; write a number with a unit (UNITS)\
, such as 30hz
app.yaml:7:3: missing parameter 'path' of operator 'file'; it is a path (clip)
app.yaml:12:19: 'level' cannot be 2; it is a number from 0 to 1
app.yaml:12:28: 'fast' cannot be "yes"; write true or false (yes is text in YAML 1.2)
app.yaml:12:33: unknown parameter 'nmaes' of operator 'gray'; did you mean 'names'?
app.yaml:15:21: unknown operator 'gry'; did you mean 'gray'?
app.yaml:19:14: 'detect' has several outputs; write detect.boxes or detect.text
app.yaml:20:14: 'file' sends Image; input 'boxes' of 'screen' takes Boxes
app.yaml:22:5: duplicate key 'on_error'; keep one (the first is in line 21)
app.yaml:24:11: unknown operator type 'io.wrtier'; did you mean
app.yaml:26:24: no frame of 'screen' reaches 'camera'; name an operator downstream of it
"""


def test_twelve_mistakes_make_twelve_lines_in_the_order_of_the_file(load_text):
    with pytest.raises(AppError) as caught:
        load_text(TWELVE)
    lines = str(caught.value).splitlines()
    expected = MESSAGES.splitlines()
    assert len(lines) == len(expected) == 12
    for line, wanted in zip(lines, expected, strict=True):
        before, _, after = wanted.partition("UNITS")
        assert line.startswith(before)
        assert line.endswith(after) or "io.wrtier" in line


def test_the_corrected_file_is_an_app(load_text):
    text = TWELVE
    for wrong, right in {
        "colour: red\n": "",
        "rate: 30}": "rate: 30hz}",
        "FileOp\n": "FileOp\n    with: {path: ops.py}\n",
        "{level: 2, fast: yes, nmaes: [a]}": "{level: 1, fast: true, names: [a]}",
        "gry": "gray",
        "image: detect": "image: camera",
        "boxes: file": "boxes: detect.boxes",
        "    on_error: skip\n": "",
        "  writer:\n    type: io.wrtier\n": "",
        "from: screen, to: camera": "from: camera, to: screen",
    }.items():
        assert wrong in text
        text = text.replace(wrong, right)
    assert load_text(text).path == Path("app.yaml")
