"""Guarded runs: an operator that changes what it was given, or what it has sent, is told."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from holoflow.operator import Operator

ADVICE = "arrays that were received or sent may be shared: copy before changing them"


def guard(operator: Operator) -> None:
    """Have arrays that `operator` is given and gives read-only from then on, for whoever has them.

    Writing to one is then an error where it is written. Arrays on a GPU have no such mark and
    are not guarded. Call it last of all that takes hold of the operator's methods.
    """
    if operator.ports().source:
        return
    process: Callable[..., Any] = operator.process  # type: ignore[attr-defined]

    @functools.wraps(process)
    def guarded(*arguments: Any, **named: Any) -> Any:
        freeze((*arguments, *named.values()))
        return _explained(functools.partial(process, *arguments, **named))

    operator.process = guarded  # type: ignore[attr-defined]
    if type(operator).process_batch is not Operator.process_batch:
        batch = operator.process_batch

        @functools.wraps(batch)
        def guarded_batch(calls: Any) -> Any:
            freeze(calls)
            return _explained(functools.partial(batch, calls))

        operator.process_batch = guarded_batch  # type: ignore[method-assign, assignment]


def freeze(payload: Any) -> None:
    """Make all arrays of NumPy in `payload` read-only."""
    if isinstance(payload, np.ndarray):
        payload.flags.writeable = False
    elif isinstance(payload, Mapping):
        freeze(tuple(payload.values()))
    elif isinstance(payload, (list, tuple)):
        for one in payload:
            freeze(one)
    elif dataclasses.is_dataclass(payload):
        freeze([getattr(payload, field.name) for field in dataclasses.fields(payload)])


def _explained(call: Callable[[], Any]) -> Any:
    try:
        result = call()
    except Exception as error:  # NumPy raises ValueError, OpenCV an error of its own
        if not any(word in str(error) for word in ("read-only", "readonly")):
            raise
        raise ValueError(f"{error}; {ADVICE}") from error
    freeze(result)
    return result
