"""What is found out about a Holoscan operator before it runs, and what is left of that: nothing."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path
from typing import Any

import pytest

from holoflow.holoscan import inspection, runtime, signature
from holoflow.holoscan.classes import HoloscanOperatorError, HoloscanPorts, stand_in
from holoflow.holoscan.inspection import NotSeenError, inspect

pytestmark = pytest.mark.holoscan
pytest.importorskip("holoscan")
core = runtime.load().core
from holoscan.conditions import (  # noqa: E402 - after the CUDA runtime is loaded
    PeriodicCondition,
    SubscriberAvailableCondition,
)
from holoscan.resources import MemoryStorageType  # noqa: E402


class Listening(core.Operator):
    """Opens a socket and counts its instances."""

    made = 0

    def __init__(self, fragment: Any, *args: Any, port: int, **keywords: Any) -> None:
        type(self).made += 1
        self.socket = socket.create_server(("127.0.0.1", port))
        print("made")
        super().__init__(fragment, *args, **keywords)

    def setup(self, spec: Any) -> None:
        spec.input("one")
        spec.input("any", size=core.IOSpec.ANY_SIZE)
        spec.param("old", kind="receivers")
        spec.output("out")


def fails(action: Any) -> type:
    """Return an operator whose constructor does `action`."""

    def init(_self: Any, *_args: Any, **_keywords: Any) -> None:
        action()

    return type("Failing", (core.Operator,), {"__init__": init})


def raises(error: BaseException) -> type:
    """Return an operator whose constructor raises `error`."""

    def action() -> None:
        raise error

    return fails(action)


def test_nothing_is_left_of_it(capfd):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    files = sorted(os.listdir("/proc/self/fd"))
    ports = inspect(Listening, {"port": port}, ())
    assert ports == HoloscanPorts(
        {"one": True, "any": False, "old": False}, ("out",), frozenset({"any", "old"})
    )
    socket.create_server(("127.0.0.1", port)).close()
    assert Listening.made == 0
    assert sorted(os.listdir("/proc/self/fd")) == files
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("cls", "words"),
    [
        (stand_in("HolovizOp", "x", "libvulkan.so.1: not there"), "libvulkan.so.1: not there"),
        (fails(lambda: os.kill(os.getpid(), signal.SIGKILL)), "with signal SIGKILL"),
        (fails(lambda: os._exit(3)), "with exit status 3"),
        (raises(RuntimeError("no CUDA-capable device is detected")), "no CUDA-capable device"),
        (raises(ImportError("libnvinfer.so.10")), "libnvinfer.so.10"),
        (raises(ConnectionRefusedError("refused")), "refused"),
    ],
)
def test_what_this_machine_lacks_is_no_mistake(cls, words):
    with pytest.raises(NotSeenError, match=words):
        inspect(cls, {}, ())


def test_a_constructor_that_never_ends_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(inspection, "PATIENCE", 0.1)
    with pytest.raises(NotSeenError, match=r"longer than 0\.1 s"):
        inspect(fails(signal.pause), {}, ())


@pytest.mark.parametrize(
    "error", [ValueError("too small"), FileNotFoundError("no model"), RuntimeError("wrong")]
)
def test_what_the_app_says_wrongly_is_a_mistake(error):
    with pytest.raises(HoloscanOperatorError, match=str(error)):
        inspect(raises(error), {}, ())


class Typed:
    def __init__(
        self, fragment: Any, *, path: Path | None, kinds: list[MemoryStorageType], text: str,
        unknown: OnlyForTypeCheckers,  # noqa: F821
    ) -> None: ...  # fmt: skip


def test_arguments_are_converted_by_what_the_constructor_says():
    def convert(cls: type, name: str, value: Any) -> Any:
        return signature.convert(name, value, signature.keywords_of(cls)[name], Path("/app"))

    assert convert(PeriodicCondition, "recess_period", "200ms") == 200_000_000
    assert convert(PeriodicCondition, "recess_period", 5) == 5
    assert convert(SubscriberAvailableCondition, "poll_period_ms", "2s") == 2000
    policy = convert(PeriodicCondition, "policy", "no_catch_up_missed_ticks")
    assert policy.name == "NO_CATCH_UP_MISSED_TICKS"
    assert convert(Typed, "path", "data/x.bin") == Path("/app/data/x.bin")
    assert convert(Typed, "path", "/data/x.bin") == Path("/data/x.bin")
    assert convert(Typed, "kinds", ["host", "SYSTEM"]) == [
        MemoryStorageType.HOST, MemoryStorageType.SYSTEM,
    ]  # fmt: skip
    assert convert(Typed, "text", "200ms") == "200ms"
    assert convert(Typed, "unknown", "200ms") == "200ms"
    for name, value in (("kinds", "hots"), ("kinds", ["host", "none"])):
        with pytest.raises(ValueError, match="cannot be"):
            convert(Typed, name, value)
    with pytest.raises(ValueError, match="'recess_period' cannot be '3 parsecs'"):
        convert(PeriodicCondition, "recess_period", "3 parsecs")
