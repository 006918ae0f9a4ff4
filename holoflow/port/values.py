"""What was given to Holoscan's objects, as an app file says it."""

from __future__ import annotations

import datetime
import enum
import importlib
import inspect
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from holoflow.core.errors import HoloflowError
from holoflow.holoscan import signature
from holoflow.holoscan.signature import UNKNOWN, Keyword
from holoflow.port.application import Made

_PARTS = {"ComponentBase", "Scheduler"}
"""Bases of what belongs to a fragment, which the constructor takes first."""


class UnportedError(HoloflowError):
    """An app file has no word for a value."""


@dataclass(frozen=True)
class Names:
    """How classes, functions and files are named in an app file."""

    script: Path
    """The script that was run: its module is the main one."""
    folder: Path
    """Folder of the app file."""

    def file(self, path: Path) -> str:
        """Return a path as seen from the app file: `./ping.py`."""
        near = os.path.relpath(path.absolute(), self.folder.absolute())
        return near if near.startswith(".") else f"./{near}"

    def of(self, thing: Any) -> str:
        """Return the name of a class or function: `./ping.py:PingOp`, `holoscan.operators:…`.

        Raises:
            UnportedError: It is not at the top level of a file or module.
        """
        module, name = thing.__module__, thing.__qualname__
        if not name.isidentifier():
            raise UnportedError(
                f"{name} is not at the top level of a file", "move it there, and name it in type:"
            )
        if module == "__main__":
            return f"{self.file(self.script)}:{name}"
        if thing.__dict__.get("is_stand_in"):
            return f"{module}:{name}"
        public = ".".join(module.split(".")[:2])
        if public.startswith("holoscan.") and hasattr(importlib.import_module(public), name):
            return f"{public}:{name}"
        file = getattr(sys.modules.get(module), "__file__", None)
        if "." not in module and file and Path(file).parent == self.script.parent.absolute():
            return f"{self.file(Path(file))}:{name}"
        return f"{module}:{name}"


class Values:
    """Turns arguments into values of an app file; objects that are shared become resources."""

    def __init__(self, made: Mapping[int, Made], names: Names) -> None:
        """Know how objects were made, and how classes are named."""
        self._made = made
        self._names = names
        self._uses: dict[int, int] = {}
        self.resources: dict[str, Any] = {}
        """Of the app: what several operators share, by name."""
        self._shared: dict[int, str] = {}

    def count(self, value: Any) -> None:
        """Note that an argument uses the objects in it."""
        made = self._made.get(id(value))
        if made is not None and signature.is_object(made.cls):
            self._uses[id(value)] = self._uses.get(id(value), 0) + 1
            if self._uses[id(value)] > 1:
                return
            for item in (*made.args, *made.keywords.values()):
                self.count(item)
        elif isinstance(value, (list, tuple)):
            for item in value:
                self.count(item)
        elif isinstance(value, Mapping):
            for item in value.values():
                self.count(item)

    def of(self, value: Any, keyword: Keyword = UNKNOWN) -> Any:
        """Return `value` as an app file says it.

        Args:
            value: An argument of an operator, a condition or a resource.
            keyword: What the constructor says that it takes: text becomes a path, a duration or a
                member of an enumeration only where it wants one.

        Raises:
            UnportedError: An app file has no word for it.
        """
        if isinstance(value, enum.Enum) or hasattr(type(value), "__members__"):
            return self._member(value, keyword)
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        if isinstance(value, Path):
            relative = Path in keyword.kinds and not value.is_absolute()
            return self._names.file(value) if relative else str(value)
        if isinstance(value, datetime.timedelta):
            if datetime.timedelta not in keyword.kinds:
                raise UnportedError("it is a timedelta, and has no annotation that says so")
            return duration(value)
        if isinstance(value, (list, tuple)):
            return [self.of(item, keyword) for item in value]
        if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
            return {key: self.of(item, keyword) for key, item in value.items()}
        made = self._made.get(id(value))
        if made is not None and signature.is_object(made.cls):
            found = self.object(made)
            return found if keyword.wants_object else {"resource": found}
        if inspect.isfunction(value):
            return {"python": self._names.of(value)}
        if getattr(value, "shape", None) == ():
            return value.item()
        raise UnportedError(f"an app file has no word for one of class {type(value).__name__}")

    def _member(self, value: Any, keyword: Keyword) -> Any:
        """Return a member of an enumeration."""
        if type(value) in keyword.kinds:
            return value.name
        if isinstance(value, (int, str)):
            return value.value  # type: ignore[union-attr]
        if int in keyword.kinds and not isinstance(value, enum.Enum):  # one of C++, which converts
            return int(value.value)
        kind = type(value).__name__
        raise UnportedError(f"it is a member of {kind}, and has no annotation that says so")

    def object(self, made: Made) -> Any:
        """Return a condition or resource: `{type: …, with: …}`, or the name of one that is shared.

        Raises:
            UnportedError: An app file has no word for it, or for one of its arguments.
        """
        if id(made.thing) in self._shared:
            return self._shared[id(made.thing)]
        keywords = signature.keywords_of(made.cls)
        arguments = {
            key: self.of(value, keywords.get(key, UNKNOWN)) for key, value in given(made).items()
        }
        entry = {"type": self._names.of(made.cls), **({"with": arguments} if arguments else {})}
        if self._uses.get(id(made.thing), 0) < 2:
            return entry
        name = unique(str(made.thing.name), self.resources)
        self._shared[id(made.thing)] = name
        self.resources[name] = entry
        return name


def given(made: Made) -> dict[str, Any]:
    """Return the arguments of what is no operator by name, without its own name."""
    names = list(signature.keywords_of(made.cls))
    # A service in Python is made without a fragment.
    positional = made.args[1:] if signature.bases(made.cls) & _PARTS else made.args
    return {
        **dict(zip(names, positional, strict=False)),
        **{key: value for key, value in made.keywords.items() if key not in ("name", "fragment")},
    }


def unique(name: str, taken: Mapping[str, Any]) -> str:
    """Return `name` as the format allows names, with a number if it is taken."""
    cleaned = "".join(c if c.isascii() and (c.isalnum() or c in "_-") else "_" for c in name)
    cleaned = cleaned if cleaned[:1].isalpha() else f"op_{cleaned}".rstrip("_")
    number, made = 1, cleaned
    while made in taken:
        number += 1
        made = f"{cleaned}_{number}"
    return made


def duration(value: datetime.timedelta) -> str:
    """Return a duration with the largest unit in which it is a whole number."""
    microseconds = round(value / datetime.timedelta(microseconds=1))
    for unit, size in (("s", 1_000_000), ("ms", 1000)):
        if microseconds % size == 0:
            return f"{microseconds // size}{unit}"
    return f"{microseconds}us"
