"""Stand-ins for those of Holoscan's operators whose libraries this machine lacks.

They note their arguments as the operators themselves would, and have the ports that flows name.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from holoflow.holoscan import runtime
from holoflow.port.values import UnportedError


class _Unknown(type):
    """What belongs to a class that is not here, such as `HolovizOp.InputSpec`."""

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return _Unknown(name, (), {"__init__": lambda *_args, **_keywords: None})


def stand_in(operator: type, name: str) -> type:
    """Return what stands for the class `name` of Holoscan's, derived from its class `operator`."""

    class Kind(type(operator)):  # type: ignore[misc]
        def __getattr__(cls, inner: str) -> Any:
            if not inner[:1].isupper():
                raise AttributeError(inner)
            return _Unknown(inner, (), {"__init__": lambda *_args, **_keywords: None})

    def init(self: Any, fragment: Any, *_args: Any, **keywords: Any) -> None:
        operator.__init__(self, fragment, name=keywords.get("name", name))  # type: ignore[misc]

    body = {"__init__": init, "__module__": "holoscan.operators", "is_stand_in": True}
    return Kind(name, (operator,), body)


def is_stand_in(thing: Any) -> bool:
    """Whether an operator is only a stand-in."""
    return bool(vars(type(thing)).get("is_stand_in", False))


def declare(source: Any, target: Any, more: tuple[Any, ...]) -> None:
    """Give stand-ins the ports of a flow; Holoscan checks those of all operators.

    Args:
        source: Where the flow begins.
        target: Where it ends.
        more: What else is said of it; its ports are a set of pairs.

    Raises:
        UnportedError: It names no ports, and those of a stand-in are not known.
    """
    if not (is_stand_in(source) or is_stand_in(target)):
        return
    pairs = list(_pairs(more))
    if not pairs:
        wrong = f"the flow from {source.name} to {target.name} names no ports"
        raise UnportedError(wrong, "name them, as one of the two cannot be looked into here")
    for output, port in pairs:
        if is_stand_in(source) and output not in source.spec.outputs:
            source.spec.output(output)
        if is_stand_in(target) and port not in target.spec.inputs:
            target.spec.input(port, size=runtime.load().core.IOSpec.ANY_SIZE)


def _pairs(more: tuple[Any, ...]) -> Iterator[tuple[str, str]]:
    for item in more:
        if isinstance(item, (set, frozenset, list, tuple)):
            yield from item
