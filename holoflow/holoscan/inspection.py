"""Looking at a Holoscan operator without keeping it: what its arguments make of its ports.

Only an instance knows its ports, and a constructor may open a socket or a device. So the instance
is made in a process that is forked for it and ends at once: it has all modules that are imported
already, and takes with it whatever the constructor has opened, hung on or crashed.
"""

from __future__ import annotations

import json
import os
import re
import select
import signal
import sys
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from ruamel.yaml import YAML

from holoflow.core.errors import HoloflowError, parts
from holoflow.holoscan import runtime
from holoflow.holoscan.classes import (
    HoloscanObject,
    HoloscanOperatorError,
    HoloscanPorts,
    is_created,
    is_enabled,
    make,
    missing,
    unknown,
)
from holoflow.holoscan.signature import accepts_any, keywords_of

PATIENCE = 10.0
"""Seconds that a constructor may take before the operator counts as one that cannot be seen."""

_DEVICE = re.compile(r"cuda|gpu|nvidia|nvml|driver|vulkan|\bdevice\b", re.IGNORECASE)
_RECEIVERS = "std::vector<holoscan::IOSpec*>"


class NotSeenError(HoloflowError):
    """An operator cannot be looked into on this machine; that says nothing about the app."""


def inspect(
    cls: type, arguments: Mapping[str, Any], conditions: Sequence[HoloscanObject]
) -> HoloscanPorts:
    """Make the operator in a process of its own and return its ports.

    Raises:
        HoloscanOperatorError: An argument is unknown, missing or of the wrong type.
        NotSeenError: The operator needs what this machine does not have.
        HoloflowError: There is no Holoscan.
    """
    if missing(cls):
        raise NotSeenError(missing(cls))
    runtime.load()
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads, as NumPy's, that idle
        child = os.fork()
    if child == 0:
        _answer(writing, cls, arguments, conditions)
    os.close(writing)
    try:
        data = _read(reading, child)
    finally:
        os.close(reading)
        _, status = os.waitpid(child, 0)
    if data is None:
        raise NotSeenError(f"it takes longer than {PATIENCE:g} s to be made")
    if not data:
        code = os.waitstatus_to_exitcode(status)
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
        raise NotSeenError(f"making it ends the process with {how}")
    try:
        found = json.loads(data)
    except ValueError:
        raise NotSeenError("making it breaks off the process") from None
    if "inputs" in found:
        outputs, several = tuple(found["outputs"]), frozenset(found["several"])
        return HoloscanPorts(found["inputs"], outputs, several)
    wrong, right = found["wrong"], found["right"]
    if not found["seen"]:
        raise NotSeenError(wrong, right)
    raise HoloscanOperatorError(wrong, right, parameter=found["parameter"])


def _answer(
    writing: int, cls: type, arguments: Mapping[str, Any], conditions: Sequence[HoloscanObject]
) -> None:
    """Write the ports, or the error, and end the process; nothing of it is seen or flushed."""
    try:
        nowhere = os.open(os.devnull, os.O_RDWR)
        for standard in (0, 1, 2):
            os.dup2(nowhere, standard)
        sys.stdout = sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
        try:
            ports = _look(cls, arguments, conditions)
            found: dict[str, Any] = {
                "inputs": dict(ports.inputs),
                "outputs": list(ports.outputs),
                "several": list(ports.several),
            }
        except BaseException as error:
            wrong, right = parts(error)
            seen = not _machine_lacks(error)
            parameter = getattr(error, "parameter", None)
            found = {"seen": seen, "wrong": wrong, "right": right, "parameter": parameter}
        with os.fdopen(writing, "w", encoding="utf-8") as pipe:
            json.dump(found, pipe)
    finally:
        os._exit(0)


def _read(reading: int, child: int) -> bytes | None:
    """Return what the child writes until it ends; None, and end it, if that takes too long."""
    data = b""
    while True:
        ready, _, _ = select.select([reading], [], [], PATIENCE)
        if not ready:
            os.kill(child, signal.SIGKILL)
            return None
        block = os.read(reading, 65536)
        if not block:
            return data
        data += block


def _machine_lacks(error: BaseException) -> bool:
    """Whether an operator cannot be made because of this machine, not because of the app.

    It lacks a GPU, a library, a device or a peer; a file that is not there is the app's mistake.
    """
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        if isinstance(cause, (FileNotFoundError, NotADirectoryError, IsADirectoryError)):
            return False
        if isinstance(cause, (ImportError, OSError)):
            return True
        kind = type(cause)
        said = f"{kind.__module__}.{kind.__name__}: {cause}"
        foreign = kind.__module__ != "builtins" and not isinstance(cause, HoloflowError)
        if (foreign or isinstance(cause, (RuntimeError, AssertionError))) and _DEVICE.search(said):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def _look(
    cls: type, arguments: Mapping[str, Any], conditions: Sequence[HoloscanObject]
) -> HoloscanPorts:
    """Construct the operator in an application that is never run, to find its ports."""
    fragment = runtime.load().core.Application([sys.executable])  # not our own command line
    operator = make(fragment, cls, "inspected", arguments, conditions)
    described = _description(operator)
    parameters = {p["name"]: p["type"] for p in described["params"] or []}
    if not is_created(cls):
        known = sorted({*parameters, *keywords_of(cls)})
        passed = {argument.name for argument in operator.args} & set(arguments) - set(known)
        if passed and (known or not accepts_any(cls)):
            raise unknown(cls, min(passed), known)
    free = {
        port["name"]
        for port in described["inputs"] or []
        if {"type": "kNone"} in (port["conditions"] or [])
    }
    specs = operator.spec.inputs
    several = {name for name, port in specs.items() if port.queue_size != 1}
    old = {name for name, kind in parameters.items() if kind == _RECEIVERS}
    free |= old | {name for name, port in specs.items() if port.queue_size == -1}
    names = [*specs, *sorted(old - set(specs))]
    outputs = operator.spec.outputs
    return HoloscanPorts(
        {name: name not in free for name in names if is_enabled(cls, arguments, name)},
        tuple(name for name in outputs if is_enabled(cls, arguments, name)),
        frozenset(several | old),
    )


def _description(operator: Any) -> dict[str, Any]:
    """Return Holoscan's description of an operator's parameters and ports."""
    described: dict[str, Any] = YAML(typ="safe").load(operator.spec.description)
    return described
