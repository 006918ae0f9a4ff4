"""Ranges for a GPU profiler, one for each call of an operator."""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any, Protocol

from holoflow.core.errors import optional
from holoflow.core.operator import Operator

DOMAIN = "holoflow"
"""Domain under which a profiler lists the ranges."""

_HOOKS = ("NVTX_INJECTION64_PATH", "CUDA_INJECTION64_PATH")
"""Variables set by a profiler that injects itself into a process, such as `nsys profile`."""


class Ranges(Protocol):
    """Begins and ends ranges, which nest within each thread."""

    def push(self, name: str) -> None:
        """Begin a range."""

    def pop(self) -> None:
        """End the range that was begun last."""


@functools.cache
def ranges() -> Ranges | None:
    """Return the ranges that a profiler records; None, and no cost, if none is attached."""
    if not any(os.environ.get(hook) for hook in _HOOKS):
        return None
    if find_spec("nvtx") is None:
        logging.getLogger("holoflow.nvtx").warning(
            "a GPU profiler is attached; to see operators in it: pip install 'holoflow[nvtx]'"
        )
        return None
    domain = optional("nvtx", "nvtx").get_domain(DOMAIN)
    # If no profiler is attached, the library returns a domain that does nothing.
    return _Ranges(domain) if hasattr(domain, "handle") else None


class _Ranges:
    def __init__(self, domain: Any) -> None:
        self._begin = domain.push_range
        self._attributes = functools.cache(domain.get_event_attributes)
        self.pop = domain.pop_range

    def push(self, name: str) -> None:
        self._begin(self._attributes(name))


def mark(operator: Operator, name: str) -> None:
    """Show every call of `operator` as a range called `name` if a profiler is attached.

    Call it before anything else wraps the operator's methods.
    """
    found = ranges()
    if found is None:
        return
    lazy = "frames" if operator.ports().source else "process"
    if operator.ports().source or operator.ports().generator:
        setattr(operator, lazy, _each(getattr(operator, lazy), name, found))
    else:
        operator.process = _call(operator.process, name, found)  # type: ignore[attr-defined]
    if type(operator).process_batch is not Operator.process_batch:
        operator.process_batch = _call(operator.process_batch, name, found)  # type: ignore[method-assign]


def _call(function: Callable[..., Any], name: str, ranges: Ranges) -> Callable[..., Any]:
    """Return `function` with a range around each call."""

    @functools.wraps(function)
    def call(*arguments: Any, **named: Any) -> Any:
        ranges.push(name)
        try:
            return function(*arguments, **named)
        finally:
            ranges.pop()

    return call


def _each(function: Callable[..., Any], name: str, ranges: Ranges) -> Callable[..., Any]:
    """Return `function` with a range around the making of each of its results."""

    @functools.wraps(function)
    def call(*arguments: Any, **named: Any) -> Iterator[Any]:
        results = iter(function(*arguments, **named) or ())
        following = _call(results.__next__, name, ranges)
        while True:
            try:
                result = following()
            except StopIteration:
                return
            yield result

    return call
