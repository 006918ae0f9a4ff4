"""Checks of what an operator returns against its declaration, and of what it may not change."""

from __future__ import annotations

import dataclasses
import functools
import types
from collections.abc import (
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
    MutableMapping,
    MutableSequence,
    Sequence,
    Set,
    Sized,
)
from dataclasses import replace
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import numpy as np
from typing_extensions import is_typeddict

from holoflow.core.message import Header, Stamped
from holoflow.core.operator import Operator
from holoflow.core.ports import Ports, class_of, type_name

ADVICE = "arrays that were received or sent may be shared: copy before changing them"


def guard(operator: Operator) -> None:
    """Make all arrays that `operator` receives or returns read-only.

    Writing to one then raises an error where it is written. GPU arrays cannot be read-only and are
    not guarded. Call it after everything else that wraps the operator's methods.
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
    """Make all NumPy arrays in `payload` read-only."""
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


_NUMBERS: dict[Any, tuple[type, ...]] = {
    bool: (bool, np.bool_),
    int: (int, np.integer),
    float: (float, int, np.floating, np.integer),
    complex: (complex, float, int, np.number),
}
"""Types accepted as a number: those that type checkers accept, and NumPy's scalars."""

_MAPPINGS = (dict, Mapping, MutableMapping)
_COLLECTIONS = (list, tuple, set, frozenset, Sequence, MutableSequence, Set, Collection)
"""Generic types whose elements can be checked."""


class Declared:
    """The declared type of a value, and the check of actual values against it.

    Only the first value of each type is checked. Callers compare the type of a value with `last`
    and call `gives` if it differs, so that a value usually costs one comparison.
    """

    __slots__ = ("_declared", "_known", "_prefix", "_suffix", "last", "optional")

    def __init__(self, declared: Any, prefix: str, suffix: str = "", *, optional: bool) -> None:
        """Check values against the type `declared`.

        The message for a wrong value names its type between `prefix` and `suffix`.
        """
        self._declared = declared
        self._prefix = prefix
        self._suffix = suffix
        self.optional = optional
        """Whether None is allowed, and sends nothing."""
        self._known: set[type] = set()
        self.last: type = type(None) if declared is type(None) else Declared
        """Type of the last value that was sent; constant for a sink."""

    def gives(self, value: Any) -> bool:
        """Whether `value` is sent: None is not.

        Raises:
            TypeError: The value does not match the declaration.
        """
        if value is None and self.optional:
            return False
        kind = type(value)
        if kind not in self._known:
            if kind is Stamped or not allows(self._declared, value):
                raise TypeError(self._prefix + self._found(value) + self._suffix)
            self._known.add(kind)
        self.last = kind
        return True

    def _found(self, value: Any) -> str:
        declared = type_name(self._declared)
        if self._suffix:
            return type(value).__name__
        if value is None:
            return f"None; write `{declared} | None` if it may send nothing"
        if type(value) is Stamped:
            return f"Stamped; write `Stamped[{declared}]` if it sets the header"
        if isinstance(value, Iterator):
            return f"{type(value).__name__}; write `Iterator[{declared}]` if it sends several"
        name = type(value).__name__
        of_that_class = name == getattr(class_of(self._declared), "__name__", "")
        return f"{name} with other elements" if of_that_class else name


class Results:
    """The results that one operator may return, by its declaration."""

    def __init__(self, operator: str, ports: Ports) -> None:
        """Check the results of `operator` against `ports`."""
        self._ports = ports
        self._operator = operator
        self._function = "frames" if ports.source else "process"
        self._gave = f"{self._function} {'gave' if ports.generator else 'returned'} "
        self._outputs = {
            name: Declared(
                port.type,
                f"output {name!r} is declared to give {type_name(port.type)}, but {self._gave}",
                optional=port.optional,
            )
            for name, port in ports.outputs.items()
        }
        self.whole = self._whole()
        """The declared type of one result, without `Stamped`."""

    def _whole(self) -> Declared:
        if self._ports.several:
            rest = f", not a dict by the names of the outputs ({', '.join(self._ports.outputs)})"
            return Declared(dict, self._gave, rest, optional=True)
        if not self._ports.outputs:
            rest = f"; {self._no_output('out')}, as `-> None` says"
            return Declared(type(None), self._gave, rest, optional=False)
        return self._outputs["out"]

    def _no_output(self, name: str) -> str:
        known = ", ".join(self._ports.outputs) or "none"
        return f"{self._operator!r} has no output port {name!r}; it has {known}"

    def each(self, returned: Any) -> Iterator[Any]:
        """Return an iterator over what a generator returned; TypeError if it is not iterable."""
        if returned is None and all(port.optional for port in self._ports.outputs.values()):
            return iter(())
        if isinstance(returned, Iterable):
            return iter(returned)
        raise TypeError(
            f"{self._function} is declared to give an Iterator, but returned "
            f"{type(returned).__name__}; results are given with `yield`"
        )

    def unstamped(self, result: Any, header: Header, begin: int) -> tuple[Any, Header]:
        """Return the payload of a result that is declared `Stamped`, and its header.

        Args:
            result: What the operator returned.
            header: The header that the result sets values of.
            begin: When the stream began (ns).

        Raises:
            TypeError: The result is not stamped.
        """
        if type(result) is Stamped:
            return result.payload, restamp(result, header, begin)
        if result is not None:
            raise TypeError(f"Stamped is declared, but {self._gave}{type(result).__name__}")
        return result, header

    def sends(self, result: Any) -> Iterable[tuple[str, Any]]:
        """Return what `result` sends on which output; raises TypeError for undeclared outputs."""
        if not self._ports.several:
            return (("out", result),)
        sends = []
        for name, payload in result.items():
            output = self._outputs.get(name)
            if output is None:
                raise TypeError(self._no_output(name))
            if type(payload) is output.last or output.gives(payload):
                sends.append((name, payload))
        return sends


def check_batch(results: Any, inputs: int) -> None:
    """Raise an error unless `process_batch` has returned one result for each of `inputs`.

    Raises:
        TypeError: The results are not a list.
        ValueError: Their number is wrong.
    """
    if not isinstance(results, Sized) or isinstance(results, (Mapping, str, bytes)):
        raise TypeError(
            f"process_batch returned {type(results).__name__}, not a list with one result for "
            f"each of its inputs"
        )
    if len(results) != inputs:
        given = "1 input" if inputs == 1 else f"{inputs} inputs"
        raise ValueError(
            f"process_batch returned {len(results)} results for {given}; return None in place of a "
            f"result to send nothing"
        )


def restamp(result: Stamped[Any], header: Header, begin: int) -> Header:
    """Return `header` with the values that `result` sets; the stream began at `begin` (ns)."""
    if result.timestamp is not None:
        header = replace(header, timestamp=result.timestamp)
    elif result.elapsed is not None:
        header = replace(header, timestamp=begin + result.elapsed)
    if result.metadata:
        header = replace(header, metadata={**header.metadata, **result.metadata})
    return header


def allows(declared: Any, value: Any) -> bool:
    """Whether `value` matches the annotation `declared`; true if that cannot be determined.

    The elements of lists, tuples, sets and mappings are checked too.
    """
    origin = get_origin(declared)
    alias = getattr(origin or declared, "__value__", None)
    if alias is not None:
        return allows(alias, value)
    arguments = get_args(declared)
    if origin is Annotated:
        return allows(arguments[0], value)
    if origin is Literal:
        return any(isinstance(value, type(member)) for member in arguments)
    if origin in (Union, types.UnionType):
        return any(allows(member, value) for member in arguments)
    kind = dict if is_typeddict(declared) else class_of(declared)
    kind = _NUMBERS.get(kind, kind)
    try:
        if isinstance(kind, (type, tuple)) and not isinstance(value, kind):
            return False
    except TypeError:  # a protocol that is not for use at run time
        return True
    for base in (declared, *getattr(kind, "__orig_bases__", ())):
        if not _elements_allowed(get_origin(base), get_args(base), value):
            return False
    return True


def _elements_allowed(origin: Any, arguments: tuple[Any, ...], value: Any) -> bool:
    if origin in _MAPPINGS and isinstance(value, dict):
        keys, values = arguments
        return all(allows(keys, k) and allows(values, v) for k, v in value.items())
    if origin is tuple and arguments[-1:] != (Ellipsis,):
        return len(value) == len(arguments) and all(map(allows, arguments, value))
    if origin in _COLLECTIONS and isinstance(value, (list, tuple, set, frozenset)):
        return all(allows(arguments[0], element) for element in value)
    return True
