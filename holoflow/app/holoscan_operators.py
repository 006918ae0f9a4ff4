"""Operators of Holoscan's own in an app: their arguments, their conditions and their ports."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from holoflow.app.document import Broken, Value
from holoflow.app.format import ObjectSchema
from holoflow.app.mistakes import Report, short
from holoflow.app.validation import Words, check
from holoflow.core.errors import HoloflowError, Location
from holoflow.core.ports import InputPort, OutputPort, Ports
from holoflow.holoscan.classes import HoloscanObject, HoloscanOperator


@dataclass
class HoloscanReader:
    """Reads what an app says of one operator of Holoscan's."""

    find_class: Callable[[Value], type | None]
    """Class that a `type:` names; None if there is none, which is then reported."""
    report: Report
    _failed: bool = False

    def read(
        self, cls: type, given: Value | None, conditions: Value | None, name: str, at: Location
    ) -> tuple[HoloscanOperator | None, Ports | None]:
        """Return the operator and its ports; None where a mistake has been reported.

        `given` is the value of `with:` with assets filled in, `at` the place of the name.
        """
        from holoflow.holoscan import classes

        self._failed = False
        entries = given.mapping if given else {}
        arguments = {key: self._argument(key, item) for key, item in entries.items()}
        objects = self._conditions(conditions)
        if self._failed:
            return None, None
        well = True
        while True:
            try:
                inputs, outputs = classes.inspect(cls, arguments, objects)
                break
            except Exception as error:  # NativeError, no Holoscan, or whatever setup() raises
                well = False
                parameter = getattr(error, "parameter", None)
                # Without what is wrong it goes on, so that one mistake hides no other.
                if parameter in arguments:
                    self._tell(error, entries[parameter].at, name)
                    del arguments[parameter]
                    continue
                place = _find(parameter, given, conditions) if parameter else None
                if parameter not in entries:
                    self._tell(error, place.at if place else at, name)
                if objects and place is not None and _find(parameter, conditions) is place:
                    objects = ()
                    continue
                return None, None
        ports = Ports(
            {port: InputPort(port, Any, required=needed) for port, needed in inputs.items()},
            {port: OutputPort(port, Any) for port in outputs},
            source=not inputs,
        )
        made = HoloscanOperator(cls, arguments, objects, tuple(inputs), tuple(outputs))
        return made if well else None, ports

    def _tell(self, error: Exception, at: Location, name: str) -> None:
        wrong, _, right = str(error).partition("; ")
        if not isinstance(error, HoloflowError):
            wrong = f"{type(error).__name__}: {wrong}"
        self.report.add(at, f"operator {short(name)}: {wrong}", right)

    def _argument(self, name: str, value: Value) -> Any:
        """Return an argument; mappings with `type:` become objects."""
        data = value.data
        if isinstance(data, list):
            return [self._argument(name, item) for item in data]
        if isinstance(data, dict):
            if "type" in data:
                return self._object(name, value)
            return {key: self._argument(key, item) for key, item in data.items()}
        self._failed |= isinstance(data, Broken)
        return data

    def _object(self, name: str, value: Value) -> HoloscanObject | None:
        from holoflow.holoscan import classes

        entry = check(ObjectSchema, value, self.report, Words("key", f" of {short(name)}"))
        kind = value.get("type")
        cls = self.find_class(kind) if entry is not None and kind is not None else None
        given = value.get("with")
        self._failed |= cls is None or (given is not None and isinstance(given.data, Broken))
        if cls is None or kind is None:
            return None
        if not classes.is_object(cls):
            right = "name a class such as holoscan.resources:UnboundedAllocator"
            self.report.add(kind.at, f"{short(kind.text)} is no condition or resource", right)
            self._failed = True
            return None
        entries: Mapping[str, Value] = given.mapping if given else {}
        arguments = {key: self._argument(key, item) for key, item in entries.items()}
        return HoloscanObject(cls, name, arguments)

    def _conditions(self, value: Value | None) -> tuple[HoloscanObject, ...]:
        if value is None or value.data is None:
            return ()
        if isinstance(value.data, list):
            named = [(f"condition_{i}", item) for i, item in enumerate(value.data)]
        elif isinstance(value.data, dict):
            named = list(value.data.items())
        else:
            self._failed = True
            right = "they are a list, or a mapping by name, of {type: …, with: …}"
            if not isinstance(value.data, Broken):
                self.report.add(value.at, "these are no conditions", right)
            return ()
        found = [self._object(name, item) for name, item in named]
        return tuple(item for item in found if item is not None)


def _find(name: str | None, *values: Value | None) -> Value | None:
    """Return what stands under key `name`, the outermost first."""
    waiting = [value for value in values if value is not None]
    for value in waiting:  # grows while it is gone through
        if name in value.mapping:
            return value.mapping[str(name)]
        waiting += value.data if isinstance(value.data, list) else value.mapping.values()
    return None
