"""Geometry that passes through operators: from the picture to the arrays that are made of it."""

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
"""What may say of which picture it is."""


def pass_geometry(operator: Operator) -> None:
    """Have `operator` give its arrays the geometry of its inputs, where they have none.

    That is what a model does: what it finds lies in the picture that it was given. Of boxes,
    points and masks without a geometry nobody knows whether they are in pixels of that picture or
    of its source already: where the two differ, that is told once. Operators that give none of
    these, or are given no picture, stay as they are, at no cost. Call it before anything else
    takes hold of the operator's methods.
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
            return results  # which is told as the operator's mistake
        known = [shared(call.values()) for call in calls]
        return [
            result if geometry is None else _passed(operator, result, geometry)
            for result, geometry in zip(results, known, strict=True)
        ]

    operator.process = passing  # type: ignore[attr-defined]
    if type(operator).process_batch is not Operator.process_batch:
        operator.process_batch = passing_batch  # type: ignore[method-assign, assignment]


def shared(payloads: Iterable[Any]) -> Geometry | None:
    """Return the geometry of the images and arrays among `payloads`.

    None where they have none, or several.
    """
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
    """Return what `operator` gives with `geometry` for the arrays in it that have none."""
    if isinstance(result, Arrays):
        # A new one: the operator may send the same one again, made of another picture.
        return Arrays(result, geometry=geometry) if result.geometry is None else result
    if isinstance(result, _FOUND):
        if result.geometry is None and geometry != geometry.of_source:
            operator.context.warn_once(
                "it gives %s without a geometry, found in a picture of %d x %d pixels that comes "
                "of one of %d x %d: say geometry=image.geometry if they are in pixels of the "
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
    """Return the type `hint`, and those that it is made of."""
    return (hint, *get_args(hint))
