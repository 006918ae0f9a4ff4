"""Geometry that passes through operators: from the picture to the arrays that are made of it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, get_args

from holoflow.message import Stamped
from holoflow.operator import Operator
from holoflow.payload import Arrays, Geometry, Image


def pass_geometry(operator: Operator) -> None:
    """Have `operator` give its arrays the geometry of its inputs, where they have none.

    That is what a model does: what it finds lies in the picture that it was given. Others than
    those that give `Arrays` stay as they are, at no cost. Call it before anything else takes
    hold of the operator's methods.
    """
    ports = operator.ports()
    given = [kind for port in ports.outputs.values() for kind in (port.type, *get_args(port.type))]
    if ports.source or Arrays not in given:
        return
    process: Callable[..., Any] = operator.process  # type: ignore[attr-defined]
    batch = operator.process_batch

    @functools.wraps(process)
    def passing(*arguments: Any, **named: Any) -> Any:
        geometry = shared((*arguments, *named.values()))
        result = process(*arguments, **named)
        return _each(result, geometry) if ports.generator else given_to(result, geometry)

    @functools.wraps(batch)
    def passing_batch(calls: Any) -> Any:
        results = batch(calls)
        if len(results) != len(calls):
            return results  # which is told as the operator's mistake
        return [given_to(r, shared(call.values())) for r, call in zip(results, calls, strict=True)]

    operator.process = passing  # type: ignore[attr-defined]
    if type(operator).process_batch is not Operator.process_batch:
        operator.process_batch = passing_batch  # type: ignore[method-assign, assignment]


def shared(payloads: Iterable[Any]) -> Geometry | None:
    """Return the geometry of the images and arrays among `payloads`.

    None where they have none, or several.
    """
    found = set()
    for payload in payloads:
        several = payload if isinstance(payload, (list, tuple)) else (payload,)
        found |= {one.geometry for one in several if isinstance(one, (Image, Arrays))}
    found.discard(None)
    return found.pop() if len(found) == 1 else None


def given_to(result: Any, geometry: Geometry | None) -> Any:
    """Return `result` of an operator with `geometry` for the arrays in it that have none."""
    if geometry is None:
        return result
    if isinstance(result, Arrays):
        # A new one: the operator may send the same one again, made of another picture.
        return Arrays(result, geometry=geometry) if result.geometry is None else result
    if isinstance(result, Stamped):
        return replace(result, payload=given_to(result.payload, geometry))
    if type(result) is dict:
        return {port: given_to(payload, geometry) for port, payload in result.items()}
    return result


def _each(results: Any, geometry: Geometry | None) -> Iterator[Any]:
    for result in results or ():
        yield given_to(result, geometry)
