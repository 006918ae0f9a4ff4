import os
import time

import pytest

from holoflow.app import load
from holoflow.app.document import BROKEN, MAX_BYTES, parse, plain
from holoflow.app.mistakes import Report
from holoflow.core.errors import AppError


def read(text):
    report = Report()
    value = parse(text, "f", report)
    try:
        report.check()
    except AppError as error:
        return value, error.mistakes
    return value, []


def only(text):
    _, mistakes = read(text)
    assert len(mistakes) == 1, mistakes
    return (mistakes[0].location.line, mistakes[0].location.column), str(mistakes[0])


def test_every_key_and_value_knows_its_place():
    value, mistakes = read("a: 1\nb:\n  - x\n  - {c: 'd',  e: |\n}\n".replace("|\n", "f"))
    assert not mistakes
    assert plain(value) == {"a": 1, "b": ["x", {"c": "d", "e": "f"}]}
    assert (value.keys["b"].line, value.keys["b"].column) == (2, 1)
    inner = value.data["b"].data[1]
    assert (inner.at.line, inner.at.column) == (4, 5)
    assert (inner.keys["e"].line, inner.keys["e"].column) == (4, 15)
    assert (inner.data["e"].at.line, inner.data["e"].at.column) == (4, 18)


def test_aliases_are_filled_in():
    value, mistakes = read("a: &x [1, 2]\nb: *x\n")
    assert not mistakes
    assert plain(value) == {"a": [1, 2], "b": [1, 2]}
    assert value.size == 7


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("a: 1\nb: 2\na: 3", (3, 1), "duplicate key 'a'; keep one (the first is in line 1)"),
        ("a: 1\n7: 2", (2, 1), "key '7' is not text; write \"7\" in quotes"),
        ("a: 1\nnull: 2", (2, 1), "key 'null' is not text"),
        ("a: 1\n: 2", (2, 1), "key '(nothing)' is not text"),
        ("a: 1\n? [1, 2]\n: 3", (2, 3), "key that is a list"),
        ("a: 1\n{b: c}: 3", (2, 1), "key that is a list or a mapping"),
        ("a: 1\nOn: 2", (2, 1), "the key 'On' is a boolean in YAML 1.1"),
        ("a: !!python/object:os.system x", (1, 4), "tags are not used here"),
        ("a: !local {b: 1}", (1, 4), "tags are not used here"),
        ("a: *x", (1, 4), "unknown alias 'x'"),
        ("a: &x [1, *x]", (1, 11), "the alias *x is inside the value that it names"),
        ("a: 1\n---\nb: 2", (2, 1), "a second document starts here"),
        ("a: [1, 2", (1, 9), "not valid YAML"),
        ("a: b: c", (1, 5), "not valid YAML"),
        ("a:\n\t- b", (2, 1), "not valid YAML"),
        ("a: \x00", (1, 4), "not valid YAML: character U+0000 is not allowed"),
        ('a: "\\ud800"', (1, 4), "lone surrogate"),
        ("", (1, 1), "the file is empty"),
        ("# nothing\n", (1, 1), "the file is empty"),
        ("[" * 100, (1, 33), "more than 32 levels"),
        ("- " * 100, (1, 65), "more than 32 levels"),
    ],
)
def test_what_is_no_app_yaml(text, place, words):
    found, message = only(text)
    assert words in message
    assert found == place


def test_escapes_that_are_no_characters_are_refused():
    _, mistakes = read('a: "\\UFFFFFFFF"')
    assert len(mistakes) == 1


def test_what_is_broken_hides_nothing_else():
    value, mistakes = read("a: !t 1\nb: 2\nb: 3\nc: [1, !t 2]\n")
    assert len(mistakes) == 3
    assert plain(value) == {"b": 2}
    assert value.data["a"].data is BROKEN


def test_nothing_that_a_terminal_obeys_is_printed(tmp_path):
    path = tmp_path / "app.yaml"
    path.write_text(
        'app: x\nschema: "\\x9b31m\\x1b[2J"\n"\\e[2J\\x9b": 1\noperators: {a: {use: "\\L"}}'
    )
    with pytest.raises(AppError) as caught:
        load(path)
    assert len(caught.value.mistakes) == 3
    assert all(line.isprintable() for line in str(caught.value).split("\n"))


def test_aliases_without_end():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 20)]
    place, message = only("\n".join(lines))
    assert "more than 1,000,000 values, aliases expanded" in message
    assert place[0] < 9


def test_a_billion_laughs_by_depth():
    lines = ["a0: &a0 [x]"] + [f"a{i}: &a{i} [*a{i - 1}]" for i in range(1, 50)]
    assert "more than 32 levels" in only("\n".join(lines))[1]


def mistake_of(path):
    with pytest.raises(AppError) as caught:
        load(path)
    assert len(caught.value.mistakes) == 1
    return caught.value.mistakes[0]


def test_missing_file(tmp_path):
    mistake = mistake_of(tmp_path / "none.yaml")
    assert str(mistake) == f"{tmp_path}/none.yaml:1:1: there is no such file; check the path"


def test_folder(tmp_path):
    assert mistake_of(tmp_path).wrong == "this is a folder"


def test_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert mistake_of(tmp_path / "pipe").wrong == "this is not a regular file"


def test_null_character_in_the_path(tmp_path):
    assert "cannot be read" in mistake_of(tmp_path / "a\0b").wrong


def test_a_hundred_megabytes_are_refused_before_reading(tmp_path):
    path = tmp_path / "big.yaml"
    with path.open("wb") as file:
        file.truncate(100_000_000)
    began = time.process_time()
    mistake = mistake_of(path)
    assert (mistake.wrong, mistake.right) == ("the file has 100 MB", "at most 4 MB are read")
    assert time.process_time() - began < 1
    assert MAX_BYTES == 4_000_000


def test_no_utf_8(tmp_path):
    path = tmp_path / "app.yaml"
    path.write_bytes("app: é\nb: ".encode() + b"x\xff")
    mistake = mistake_of(path)
    assert (mistake.location.line, mistake.location.column) == (2, 5)
    assert mistake.wrong == "byte 0xff is not UTF-8"


def test_byte_order_mark(tmp_path):
    path = tmp_path / "app.yaml"
    path.write_text("[]", encoding="utf-8-sig")
    assert "a mapping" in mistake_of(path).right
