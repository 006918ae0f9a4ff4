import pytest

from holoflow.app import variables
from holoflow.core.errors import AppError

APP = """
app: x
vars: {VARS}
operators:
  camera: {type: ./ops.py:CameraOp}
  gray:
    type: ./ops.py:GrayOp
    inputs: {image: camera}
    with: {WITH}
"""


def app(declared, given):
    return APP.replace("{VARS}", declared).replace("{WITH}", given)


def gray(loaded):
    return loaded.operators["gray"].parameters


def test_a_variable_alone_is_read_like_unquoted_text(load_text):
    loaded = load_text(
        app("{t: 0.25, f: 'true'}", '{level: "${t}", fast: "${f}", size: "${S:-7}"}')
    )
    assert gray(loaded) == {"level": 0.25, "fast": True, "size": 7}
    assert loaded.variables == {"t": "0.25", "f": "true"}


def test_a_variable_inside_text_stays_text(load_text):
    given = '{names: ["a${n}", "${n}b", "${n}${n}", "$${n}", "$n", "x${e:-}"]}'
    loaded = load_text(app("{n: 3}", given))
    assert gray(loaded)["names"] == ["a3", "3b", "33", "${n}", "$n", "x"]


def test_settings_go_before_vars_and_vars_before_the_environment(load_text):
    text = app("{a: from-vars, b: from-vars}", '{names: ["${a}", "${b}", "${c}"]}')
    environment = {"a": "environment", "b": "environment", "c": "environment"}
    loaded = load_text(text, settings={"a": "set"}, environment=environment)
    assert gray(loaded)["names"] == ["set", "from-vars", "environment"]
    assert loaded.variables == {"a": "set", "b": "from-vars"}


def test_the_environment_of_the_process(load_text, monkeypatch):
    monkeypatch.setenv("HOLOFLOW_TEST_LEVEL", "0.75")
    loaded = load_text(app("{}", '{level: "${HOLOFLOW_TEST_LEVEL}"}'), environment=None)
    assert gray(loaded) == {"level": 0.75}


def test_vars_may_name_one_another_and_the_environment(load_text):
    text = app('{a: "${b}!", b: "${C:-x}"}', '{names: ["${a}"]}')
    assert gray(load_text(text))["names"] == ["x!"]
    assert gray(load_text(text, environment={"C": "y"}))["names"] == ["y!"]
    assert gray(load_text(text, environment={"C": ""}))["names"] == ["x!"]


def test_settings_are_not_read_for_variables_themselves(load_text):
    loaded = load_text(app("{a: b}", '{names: ["${a}"]}'), settings={"a": "${zz}"})
    assert gray(loaded)["names"] == ["${zz}"]


@pytest.mark.parametrize(
    ("declared", "given", "words"),
    [
        ("{level: 1}", '{level: «"${lvel}"}', "variable 'lvel' is not set; did you mean 'level'?"),
        ("{}", '{level: «"${L}"}', "variable 'L' is not set; give it with --set L=…"),
        ("{}", '{names: [«"a${L}"]}', "variable 'L' is not set"),
        ('{a: «"${L}"}', "{}", "variable 'L' is not set"),
        ('{a: «"${L}"}', '{level: "${a}", size: "${a}"}', "variable 'L' is not set"),
        ('{a: "${b}", b: «"${a}"}', '{level: "${a}"}', "one another: a → b → a"),
        ("{a: «[1]}", '{level: "${a}"}', "variable 'a' is a list or a mapping"),
        ("{}", '{names: [«"${}"]}', "'${}' is not a variable; write ${NAME} or ${NAME:-default}"),
        ("{}", '{names: [«"${a b}"]}', "'${a b}' is not a variable"),
        ("{}", '{names: [«"${a:-${b}}"]}', "is not a variable"),
        ("{t: 2}", '{level: «"${t}"}', "'level' cannot be 2; it is a number from 0 to 1"),
    ],
)
def test_mistakes(mistakes, declared, given, words):
    assert words in str(mistakes(app(declared, given))[0])


def test_a_variable_that_is_no_text(mistakes):
    text = app("{}", '{names: [«"${a}"]}')
    found = mistakes(text, environment={"a": b"\xff".decode("utf-8", "surrogateescape")})
    assert found[0].wrong == "variable 'a' contains bytes that are not UTF-8"


def test_unknown_settings(mistakes):
    text = app("{level: 1}", "{}").replace("vars", "«vars")
    found = mistakes(text, settings={"levl": "2"})
    assert found[0].wrong == "unknown variable in --set: 'levl'"
    assert found[0].right == "did you mean 'level'?"


def test_a_setting_may_name_a_variable_that_is_only_used(load_text):
    assert gray(load_text(app("{}", '{level: "${L}"}'), settings={"L": "1"})) == {"level": 1}


def test_a_long_chain_of_variables_is_refused(mistakes):
    chain = ", ".join(f'v{i}: "${{v{i + 1}}}"' for i in range(49))
    text = app(f'{{{chain}, v49: «"${{v50}}", v50: "${{v51}}", v51: x}}', '{names: ["${v0}"]}')
    assert "refer to one another" in mistakes(text)[0].wrong


def test_variables_that_stand_for_too_much(load_text, monkeypatch):
    monkeypatch.setattr(variables, "MAX_CHARACTERS", 100_000)
    doubled = ", ".join(f'v{i}: "${{v{i + 1}}}${{v{i + 1}}}"' for i in range(40))
    with pytest.raises(AppError, match="variables expand to too much text here"):
        load_text(app(f"{{{doubled}, v40: abcdefgh}}", '{names: ["${v0}"]}'))
