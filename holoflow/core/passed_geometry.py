"""Passing geometry through operators: from a picture to the arrays made from it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sized
from dataclasses import replace
from typing import Any, get_args

from holoflow.core.array import Array
from holoflow.core.geometry import Geometry
from holoflow.core.message import Stamped
from holoflow.core.objects import Boxes, Keypoints
from holoflow.core.operator import Operator
from holoflow.core.pictures import Image, Mask
from holoflow.core.samples import Arrays

_FOUND = (Boxes, Keypoints, Mask)
"""Types that may carry the geometry of the picture they were found in."""


def pass_geometry(operator: Operator) -> None:
    """Make `operator` give its output arrays the geometry of its inputs, where they have none.

    That suits a model: what it finds lies in the picture it was given. For boxes, points and
    masks without a geometry it is unknown whether they are in pixels of that picture or already
    in those of its source: where the two differ, a warning is logged once. Operators without
    such outputs, or without a picture as input, are not touched and pay nothing. Call this
    before anything else takes a reference to the operator's methods.
    """
    ports = operator.ports()
    gives = {kind for port in ports.outputs.values() for kind in _kinds(port.type)}
    takes = {kind for port in ports.inputs.values() for kind in _kinds(port.type)}
    pictures = takes & {Image, Arrays, Array, Any}
    if ports.source or not (Arrays in gives or (gives & set(_FOUND) and pictures)):
        return
    process: Callable[..., Any] = operator.process  # type: ignore[attr-defined]
    batch = operator.process_batch

    @functools.wraps(process)
    def passing(*arguments: Any, **named: Any) -> Any:
        geometry = shared((*arguments, *named.values()))
        result = process(*arguments, **named)
        if geometry is None:
            return result
        if ports.generator:
            return (_passed(operator, one, geometry) for one in result or ())
        return _passed(operator, result, geometry)

    @functools.wraps(batch)
    def passing_batch(calls: Any) -> Any:
        results = batch(calls)
        if not isinstance(results, Sized) or len(results) != len(calls):
            return results  # the caller reports it as the operator's mistake
        known = [shared(call.values()) for call in calls]
        return [
            result if geometry is None else _passed(operator, result, geometry)
            for result, geometry in zip(results, known, strict=True)
        ]

    operator.process = passing  # type: ignore[attr-defined]
    if type(operator).process_batch is not Operator.process_batch:
        operator.process_batch = passing_batch  # type: ignore[method-assign, assignment]


def shared(payloads: Iterable[Any]) -> Geometry | None:
    """Return the geometry that all images and arrays in `payloads` share; None if there is none."""
    found: Geometry | None = None
    for payload in payloads:
        for one in payload if isinstance(payload, (list, tuple)) else (payload,):
            if not isinstance(one, (Image, Arrays)) or one.geometry is None:
                continue
            if found is not None and one.geometry != found:
                return None
            found = one.geometry
    return found


def _passed(operator: Operator, result: Any, geometry: Geometry) -> Any:
    """Return `result` of `operator` with `geometry` set on the arrays that have none."""
    if isinstance(result, Arrays):
        # A copy: the operator may reuse the object for another picture.
        return Arrays(result, geometry=geometry) if result.geometry is None else result
    if isinstance(result, _FOUND):
        if result.geometry is None and geometry != geometry.of_source:
            operator.context.warn_once(
                "it returns %s without a geometry, found in a picture of %d x %d pixels made from "
                "one of %d x %d: set geometry=image.geometry if they are in pixels of the "
                "picture, geometry=image.geometry.of_source if in those of its source",
                type(result).__name__, geometry.width, geometry.height, *geometry.source,
            )  # fmt: skip
        return result
    if isinstance(result, Stamped):
        return replace(result, payload=_passed(operator, result.payload, geometry))
    if type(result) is dict:
        return {port: _passed(operator, payload, geometry) for port, payload in result.items()}
    return result


def _kinds(hint: Any) -> tuple[Any, ...]:
    """Return the type `hint` and its type arguments."""
    return (hint, *get_args(hint))
