"""Operators of Holoscan's own, with a stand-in for Holoscan."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from holoflow.app.graph import Endpoint
from holoflow.core.errors import HoloflowError
from holoflow.holoscan import classes, inspection, signature
from holoflow.holoscan.classes import HoloscanObject, HoloscanPorts

SOURCE = """
class SenderOp:
    kind = "operator"
    takes = {"allocator", "rows", "extra"}
    ports = (), ("out",)

class ReceiverOp:
    kind = "operator"
    takes = set()
    ports = ("a", "b"), ()

class Allocator:
    kind = "object"
    takes = {"size"}
"""


def check(cls: Any, arguments: dict[str, Any]) -> None:
    for name, value in arguments.items():
        if name not in cls.takes:
            raise classes.HoloscanOperatorError(
                f"{cls.__name__} has no parameter {name!r}", "it has some", parameter=name
            )
        if isinstance(value, HoloscanObject):
            check(value.cls, value.arguments)


def inspect(cls: Any, arguments: dict[str, Any], conditions: tuple[HoloscanObject, ...]) -> Any:
    for condition in conditions:
        check(condition.cls, condition.arguments)
    check(cls, arguments)
    inputs, outputs = cls.ports
    return HoloscanPorts({name: name != "b" for name in inputs}, outputs)


@pytest.fixture(autouse=True)
def stand_in(monkeypatch):
    monkeypatch.setattr(classes, "is_operator", lambda cls: cls.__dict__.get("kind") == "operator")
    kinds = {"object": {"Resource"}}
    monkeypatch.setattr(signature, "bases", lambda cls: kinds.get(cls.__dict__.get("kind"), set()))
    monkeypatch.setattr(inspection, "inspect", inspect)


APP = """
app: x
operators:
  sender:
    type: ./native.py:SenderOp
    with:
      allocator: {type: "./native.py:Allocator", with: {size: 3}}
      rows: [1, {type: "./native.py:Allocator"}]
      extra: {plain: 1}
    conditions:
      - {type: "./native.py:Allocator"}
  receiver:
    type: ./native.py:ReceiverOp
    inputs: {a: sender}
    conditions: {first: {type: "./native.py:Allocator", with: {size: 1}}}
  gray:
    type: ./ops.py:GrayOp
    inputs: {image: sender.out}
"""


def test_arguments_conditions_and_ports(load_text):
    app = load_text(APP, {"native.py": SOURCE})
    sender, receiver = (
        app.operators["sender"].holoscan_operator,
        app.operators["receiver"].holoscan_operator,
    )
    allocator = sender.arguments["allocator"]
    assert (allocator.cls.__name__, allocator.name) == ("Allocator", "allocator")
    assert allocator.arguments == {"size": 3}
    assert sender.arguments["rows"][0] == 1
    assert sender.arguments["rows"][1].cls is allocator.cls
    assert sender.arguments["extra"] == {"plain": 1}
    assert [condition.name for condition in sender.conditions] == ["condition_0"]
    assert [condition.name for condition in receiver.conditions] == ["first"]
    assert (receiver.inputs, receiver.outputs) == (("a", "b"), ())
    assert app.flows[0].source == Endpoint("sender", "out")
    assert [str(flow.target) for flow in app.flows] == ["receiver.a", "gray.image"]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("rows: [1,", "rowz: «[1,", "operator 'sender': SenderOp has no parameter 'rowz'; it has"),
        ("with: {size: 3}", "with: {siz: «3}", "operator 'sender': Allocator has no parameter"),
        ("with: {size: 1}", "with: {siz: «1}", "operator 'receiver': Allocator has no parameter"),
        ('- {type: "./native.py:Allocator"}', "- {type: «'./native.py:SenderOp'}",
         "'./native.py:SenderOp' is not a condition or resource"),
        ('- {type: "./native.py:Allocator"}', "- «{with: {}}", "missing key 'type' of"),
        ('- {type: "./native.py:Allocator"}', "- «3", "this cannot be 3; it is a mapping"),
        ("conditions: {first", "conditions: «first #{", "these are not conditions; write a list"),
        ("inputs: {a: sender}", "inputs: {«c: sender}", "unknown input 'c' of 'receiver'; known"),
        ("extra: {plain: 1}", "extra: «'asset:none'", "unknown asset 'none'"),
        ("inputs: {a: sender}", "inputs: {a: sender}\n    «sync: {leader: a, tolerance: 1s}",
         "sync is not for"),
        ("  receiver:\n    type: ./native.py:ReceiverOp\n    inputs: {a: sender}\n",
         "  «receiver:\n    type: ./native.py:ReceiverOp\n", "input 'a' of 'receiver' is not"),
        ("sender.out", "«sender.uot", "unknown output 'uot' of 'sender'; did you mean 'out'?"),
    ],
)  # fmt: skip
def test_mistakes(mistakes, old, new, words):
    assert old in APP
    found = mistakes(APP.replace(old, new, 1), {"native.py": SOURCE})
    assert len(found) == 1
    assert words in str(found[0])


def test_several_wrong_arguments_are_told_at_once(mistakes):
    text = APP.replace("rows: ", "rowz: «").replace("extra: ", "xtra: «")
    text = text.replace('- {type: "./native.py:Allocator"}',
                        '- {type: "./native.py:Allocator", with: {siz: «1}}')  # fmt: skip
    assert len(mistakes(text, {"native.py": SOURCE})) == 3


def test_without_holoscan_it_is_said_what_to_install(mistakes, monkeypatch):
    def nothing(*_: Any) -> Any:
        raise HoloflowError("Holoscan is not installed; install it")

    monkeypatch.setattr(inspection, "inspect", nothing)
    text = "app: x\noperators:\n  «sender: {type: './native.py:SenderOp'}\n"
    found = mistakes(text, {"native.py": SOURCE})
    assert str(found[0]).endswith("Holoscan is not installed; install it")


def test_holoscan_is_preloaded_before_a_user_module(load_text, monkeypatch):
    called = []
    runtime = SimpleNamespace(preload=lambda: called.append(True))
    monkeypatch.setitem(__import__("sys").modules, "holoflow.holoscan.runtime", runtime)
    load_text(APP, {"native.py": SOURCE + "# a new state of the folder\n"})
    assert called
