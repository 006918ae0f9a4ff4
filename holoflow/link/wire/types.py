"""Which classes may come over a link, by the name that they have there."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Iterable
from typing import Any

from holoflow import payload
from holoflow.link.wire.limits import WireError

_APP = "_holoflow_app_"
"""How the packages begin that hold an app's own files; the rest differs from host to host."""


class Known:
    """A class that may travel."""

    __slots__ = ("cls", "fields", "keys", "name")

    def __init__(self, cls: type, name: str) -> None:
        """Take `cls`, a dataclass or `Arrays`, as `name`."""
        self.cls = cls
        self.name = name
        self.fields: tuple[str, ...] = ("arrays", "geometry")
        """Names of what is given to make one."""
        if dataclasses.is_dataclass(cls):
            self.fields = tuple(field.name for field in dataclasses.fields(cls) if field.init)
        self.keys = frozenset(self.fields)

    def make(self, values: dict[str, Any]) -> Any:
        """Make one; raises WireError where the class does not take `values`."""
        try:
            if values.keys() != self.keys:
                raise WireError(
                    f"{self.name} has the fields {', '.join(self.fields)}; "
                    f"got {', '.join(values)[:200] or 'none'}"
                )
            if self.cls is payload.Arrays:
                return payload.Arrays(dict(**values["arrays"]), geometry=values["geometry"])
            return self.cls(**values)
        except WireError:
            raise
        except Exception as error:  # the class's own checks: anything may come out
            raise WireError(f"{self.name} does not take its fields: {error!s:.200}") from error


class Types:
    """The payload types, those that plugins add, and those that the ports of the app name."""

    def __init__(self, known: Iterable[Known]) -> None:
        """Know `known`; use `Types.of`."""
        self._by_class: dict[type, Known] = {}
        self._by_name: dict[str, Known] = {}
        for one in known:
            other = self._by_name.setdefault(one.name, one)
            if other.cls is not one.cls:
                raise WireError(
                    f"two classes would have the name {one.name} on links, of "
                    f"{other.cls.__module__} and of {one.cls.__module__}; rename one of them"
                )
            self._by_class[one.cls] = one
        self.get: Callable[[type], Known | None] = self._by_class.get
        """Return what is known of a class; None where it may not travel."""

    @staticmethod
    def of(classes: Iterable[type]) -> Types:
        """Know the types of `holoflow.payload` and the dataclasses among `classes`.

        Those that the annotations of their fields name are known too. Raises WireError where two
        classes have the same name.
        """
        known = [Known(cls, cls.__name__) for cls in _payloads()]
        found: dict[type, None] = dict.fromkeys(one.cls for one in known)
        for cls in classes:
            _collect(cls, found)
        known += [Known(cls, _name(cls)) for cls in list(found)[len(known) :]]
        return Types(known)

    def named(self, name: Any) -> Known:
        """Return the class of that name; raises WireError where it may not come."""
        if type(name) is not str:
            raise WireError("the name of a class is a string")
        known = self._by_name.get(name)
        if known is None:
            wrong = f"the class {name[:200]!r} is none that the ports of the app name"
            raise WireError(f"{wrong} or that a plugin adds")
        return known


def _payloads() -> list[type]:
    members = [getattr(payload, name) for name in payload.__all__]
    classes: list[type] = [member for member in members if isinstance(member, type)]
    return [cls for cls in classes if dataclasses.is_dataclass(cls) or cls is payload.Arrays]


def _name(cls: type) -> str:
    package, _, module = cls.__module__.partition(".")
    return f"{module if package.startswith(_APP) else cls.__module__}:{cls.__qualname__}"


def _collect(hint: Any, found: dict[type, None]) -> None:
    """Note the dataclasses in an annotation, and in those of their fields."""
    for part in typing.get_args(hint):
        _collect(part, found)
    if not isinstance(hint, type) or hint in found or not dataclasses.is_dataclass(hint):
        return
    found[hint] = None
    try:
        hints = typing.get_type_hints(hint)
    except (NameError, TypeError):  # names that only type checkers see: the ports may name them
        return
    for field in dataclasses.fields(hint):
        _collect(hints[field.name], found)
