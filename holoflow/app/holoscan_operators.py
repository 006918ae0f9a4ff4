"""Holoscan operators in an app: their arguments, conditions and ports."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from holoflow.app.document import Broken, Value
from holoflow.app.format import ObjectSchema
from holoflow.app.mistakes import Report, short
from holoflow.app.validation import Wording, check
from holoflow.core.errors import Location, parts
from holoflow.core.ports import InputPort, OutputPort, Ports
from holoflow.holoscan.classes import HoloscanObject, HoloscanOperator


@dataclass
class HoloscanReader:
    """Reads the entry of a Holoscan operator in an app."""

    find_class: Callable[[Value], type | None]
    """Returns the class that a `type:` names; reports it and returns None if there is none."""
    report: Report
    _failed: bool = False

    def read(
        self, cls: type, given: Value | None, conditions: Value | None, name: str, at: Location
    ) -> tuple[HoloscanOperator | None, Ports | None]:
        """Return the operator and its ports; each is None if a mistake prevents it.

        Args:
            cls: Class of the operator.
            given: Value of `with:`, assets filled in.
            conditions: Value of `conditions:`.
            name: Name of the operator.
            at: Place of the name.
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
            except Exception as error:  # HoloscanOperatorError, no Holoscan, anything from setup()
                well = False
                parameter = getattr(error, "parameter", None)
                # Try again without what is wrong, so that one mistake does not hide another.
                if parameter in arguments:
                    self._report_error(error, entries[parameter].at, name)
                    del arguments[parameter]
                    continue
                place = _find(parameter, given, conditions) if parameter else None
                if parameter not in entries:
                    self._report_error(error, place.at if place else at, name)
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

    def _report_error(self, error: Exception, at: Location, name: str) -> None:
        wrong, right = parts(error)
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

        entry = check(ObjectSchema, value, self.report, Wording("key", f" of {short(name)}"))
        kind = value.get("type")
        cls = self.find_class(kind) if entry is not None and kind is not None else None
        given = value.get("with")
        self._failed |= cls is None or (given is not None and isinstance(given.data, Broken))
        if cls is None or kind is None:
            return None
        if not classes.is_object(cls):
            right = "name a class such as holoscan.resources:UnboundedAllocator"
            self.report.add(kind.at, f"{short(kind.text)} is not a condition or resource", right)
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
            right = "write a list, or a mapping by name, of {type: …, with: …}"
            if not isinstance(value.data, Broken):
                self.report.add(value.at, "these are not conditions", right)
            return ()
        found = [self._object(name, item) for name, item in named]
        return tuple(item for item in found if item is not None)


def _find(name: str | None, *values: Value | None) -> Value | None:
    """Return the outermost value with key `name`."""
    waiting = [value for value in values if value is not None]
    for value in waiting:  # the list grows during the iteration
        if name in value.mapping:
            return value.mapping[str(name)]
        waiting += value.data if isinstance(value.data, list) else value.mapping.values()
    return None
