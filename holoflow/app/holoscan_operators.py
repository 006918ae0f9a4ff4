"""Holoscan operators in an app: their arguments, conditions, resources and ports."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from holoflow.app.document import Broken, Value, read_file
from holoflow.app.format import ObjectSchema
from holoflow.app.mistakes import Report, short
from holoflow.app.validation import Wording, check
from holoflow.core.errors import Location, parts
from holoflow.core.ports import InputPort, OutputPort, Ports
from holoflow.holoscan import classes, signature
from holoflow.holoscan.classes import HoloscanObject, HoloscanOperator
from holoflow.holoscan.signature import UNKNOWN, Keyword, is_condition


@dataclass
class Resources:
    """The `resources:` of an app, which its operators share."""

    objects: dict[str, HoloscanObject | None] = field(default_factory=dict)
    """By name; None where a mistake has been reported."""
    owners: dict[str, str] = field(default_factory=dict)
    """The operator that each condition among them is a condition of."""


class Finder(Protocol):
    """Finds what a file names; reports it and returns None if there is none."""

    def find_class(self, kind: Value) -> type | None:
        """Return the class that a `type:` names."""

    def find_function(self, name: Value) -> Callable[..., Any] | None:
        """Return the function that a `python:` names."""


def read_resources(value: Value | None, finder: Finder, report: Report) -> Resources:
    """Return the app's `resources:`; each may use those before it."""
    found = Resources()
    for name, item in value.mapping.items() if value is not None else ():
        found.objects[name] = HoloscanReader(finder, found, report).object(name, item)
    return found


def read_services(
    value: Value | None, finder: Finder, resources: Resources, report: Report
) -> dict[str, HoloscanObject]:
    """Return the app's `services:`, by name."""
    right = "name a class derived from FragmentService, or a resource of Holoscan's"
    return _read_objects(value, finder, resources, report, signature.is_service, "a service", right)


def read_loggers(
    value: Value | None, finder: Finder, resources: Resources, report: Report
) -> dict[str, HoloscanObject]:
    """Return the app's `loggers:`, by name."""
    right = "name a class such as holoscan.data_loggers:BasicConsoleLogger"
    return _read_objects(
        value, finder, resources, report, signature.is_logger, "a data logger", right
    )


def _read_objects(
    value: Value | None, finder: Finder, resources: Resources, report: Report,
    fits: Callable[[type], bool], what: str, right: str,
) -> dict[str, HoloscanObject]:  # fmt: skip
    found = {}
    for name, item in value.mapping.items() if value is not None else ():
        made = HoloscanReader(finder, resources, report).object(name, item, fits, what, right)
        if made is not None:
            found[name] = made
    return found


def read_section(value: Value, report: Report) -> Value | None:
    """Return what `file.yaml#section`, the value of a `config:`, names; report it if nothing."""
    if not isinstance(value.data, str):
        return None
    name, _, section = value.data.partition("#")
    folder = Path(value.at.file).parent
    if not (folder / name).is_file():
        right = f"write file.yaml#section; a path is relative to {folder.absolute()}"
        report.add(value.at, f"there is no file {short(name)}", right)
        return None
    root = read_file(folder / name, report)
    if root is None:
        return None
    found = root.get(section)
    if found is None:
        report.unknown(value.at, f"section of {name}:", section, root.mapping)
    elif not isinstance(found.data, dict):
        right = "name a section that is a mapping of arguments"
        report.add(value.at, f"section {short(section)} of {name} has no arguments", right)
        found = None
    return found


class HoloscanReader:
    """Reads the entry of a Holoscan operator in an app."""

    def __init__(self, finder: Finder, resources: Resources, report: Report) -> None:
        self._finder = finder
        self._resources = resources
        self._report = report
        self._failed = False

    def read(
        self, cls: type, given: Value, conditions: Value | None, name: str, at: Location
    ) -> tuple[HoloscanOperator | None, Ports | None]:
        """Return the operator and its ports; each is None if a mistake prevents it.

        Args:
            cls: Class of the operator.
            given: Value of `with:`, assets filled in.
            conditions: Value of `conditions:`.
            name: Name of the operator.
            at: Place of the name.
        """
        from holoflow.holoscan import inspection

        owner = f"operator {short(name)}"
        arguments = self._arguments(cls, given, owner)
        objects = self._conditions(conditions, name)
        if self._failed or self._lacking(cls, given, owner, at):
            return None, None
        well = len(arguments) == len(given.mapping)
        while True:
            try:
                ports = inspection.inspect(cls, arguments, objects)
                break
            except inspection.NotSeenError as error:
                unchecked = "arguments and ports" if classes.missing(cls) else "ports"
                self._report.note(
                    at, f"{owner}: {cls.__name__} cannot be looked into here: {error.wrong}; its "
                    f"{unchecked} are taken as written",
                )  # fmt: skip
                made = HoloscanOperator(cls, arguments, objects)
                return made if well else None, Ports({}, {}, open_inputs=Any, unknown=True)
            except Exception as error:  # HoloscanOperatorError, no Holoscan, anything from setup()
                parameter = getattr(error, "parameter", None)
                # Try again without what is wrong, so that one mistake does not hide another.
                if parameter in arguments:
                    self._report_error(error, given.mapping[parameter].at, owner)
                    well = False
                    del arguments[parameter]
                    continue
                place = _find(parameter, given, conditions) if parameter else None
                if parameter not in given.mapping and (well or parameter):
                    self._report_error(error, place.at if place else at, owner)
                well = False
                if objects and place is not None and _find(parameter, conditions) is place:
                    objects = ()
                    continue
                return None, None
        made = HoloscanOperator(cls, arguments, objects, tuple(ports.inputs), ports.outputs)
        return made if well else None, _ports(ports)

    def _report_error(self, error: Exception, at: Location, owner: str) -> None:
        wrong, right = parts(error)
        self._report.add(at, f"{owner}: {wrong}", right)

    def _arguments(self, cls: type, given: Value, owner: str) -> dict[str, Any]:
        """Return the arguments of an operator or object, without those that are reported."""
        keywords = signature.keywords_of(cls)
        found = {}
        for key, item in given.mapping.items():
            if key not in keywords and keywords and not signature.accepts_any(cls):
                error = classes.unknown(cls, key, list(keywords))
                self._report_error(error, given.keys.get(key, item.at), owner)
                continue
            keyword = keywords.get(key, UNKNOWN)
            value = self._argument(key, item, keyword)
            wrong, right = "", ""
            try:
                value = signature.convert(key, value, keyword, Path(item.at.file).parent.absolute())
                if misfit := signature.misfit(value, keyword):
                    wrong = f"{key!r} of {cls.__name__} {misfit}"
            except ValueError as error:
                wrong, right = error.args
            if wrong:
                self._report.add(item.at, f"{owner}: {wrong}", right)
            else:
                found[key] = value
        return found

    def _lacking(self, cls: type, given: Value, owner: str, at: Location) -> bool:
        """Whether something required is not given, which is reported."""
        keywords = signature.keywords_of(cls)
        lacking = [key for key, w in keywords.items() if w.required and key not in given.mapping]
        # A misspelt argument is one mistake, not an unknown one and a missing one.
        unknown = given.mapping.keys() - keywords.keys()
        misspelt = {self._report.nearest(key, list(keywords)) for key in unknown if lacking}
        for key in lacking:
            if key not in misspelt:
                wrong = f"{owner}: {cls.__name__} needs {key!r} ({keywords[key].text})"
                self._report.add(at, wrong)
        return bool(lacking)

    def _argument(self, name: str, value: Value, keyword: Keyword) -> Any:
        """Return an argument; what describes an object or names a function becomes that."""
        data = value.data
        if isinstance(data, list):
            return [self._argument(name, item, keyword) for item in data]
        if isinstance(data, dict):
            if data.keys() == {"resource"}:
                return self._resource(name, data["resource"])
            if data.keys() == {"python"} and (keyword.wants_function or not keyword.kinds):
                return self._function(data["python"])
            if keyword.wants_object and ("type" in data or dict not in keyword.kinds):
                return self.object(name, value)
            if not keyword.kinds and _describes_object(data):
                return self.object(name, value)
            return {key: self._argument(key, item, keyword) for key, item in data.items()}
        named = str not in keyword.kinds or data in self._resources.objects
        if isinstance(data, str) and keyword.wants_object and named:
            return self._resource(name, value)
        self._failed |= isinstance(data, Broken)
        return data

    def _function(self, value: Value) -> Callable[..., Any] | None:
        function = self._finder.find_function(value)
        self._failed |= function is None
        return function

    def _resource(self, name: str, value: Value) -> HoloscanObject | None:
        """Return the object that `value` describes, or names among the app's `resources:`."""
        if not isinstance(value.data, str):
            return self.object(name, value)
        known = self._resources.objects
        found = known.get(value.data)
        if value.data not in known:
            right = "name it under resources:, or describe it here: {type: …, with: …}"
            self._report.unknown(value.at, "resource", value.data, known, right)
        self._failed |= found is None
        return found

    def object(
        self, name: str, value: Value, fits: Callable[[type], bool] = signature.is_object,
        what: str = "a condition or resource",
        right: str = "name a class such as holoscan.resources:UnboundedAllocator",
    ) -> HoloscanObject | None:  # fmt: skip
        """Return the object that `value` describes; None if it is wrong.

        Args:
            name: Its name.
            value: Its `type:` and `with:`.
            fits: Whether a class is of the right kind.
            what: That kind, for messages.
            right: What to do if it is not.
        """
        entry = check(ObjectSchema, value, self._report, Wording("key", f" of {short(name)}"))
        kind = value.get("type")
        cls = self._finder.find_class(kind) if entry is not None and kind is not None else None
        given = value.get("with") or Value({}, value.at)
        self._failed |= cls is None or isinstance(given.data, Broken)
        if cls is None or kind is None:
            return None
        if not fits(cls):
            self._report.add(kind.at, f"{short(kind.text)} is not {what}", right)
            self._failed = True
            return None
        arguments = self._arguments(cls, given, short(name))
        self._failed |= self._lacking(cls, given, short(name), kind.at)
        self._failed |= len(arguments) < len(given.mapping)
        return HoloscanObject(cls, name, arguments)

    def _conditions(self, value: Value | None, operator: str) -> tuple[HoloscanObject, ...]:
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
                self._report.add(value.at, "these are not conditions", right)
            return ()
        found = [self._resource(name, item) for name, item in named]
        for (_, item), thing in zip(named, found, strict=True):
            if not isinstance(item.data, str) or thing is None or not is_condition(thing.cls):
                continue
            owner = self._resources.owners.setdefault(item.data, operator)
            if owner != operator:
                wrong = f"condition {short(item.data)} already is one of {short(owner)}"
                right = "Holoscan gives a condition to one operator; describe another"
                self._report.add(item.at, wrong, right)
        return tuple(item for item in found if item is not None)


def _ports(ports: classes.HoloscanPorts) -> Ports:
    inputs = {
        name: InputPort(
            name, Any, needed, element=InputPort(name, Any) if name in ports.several else None
        )
        for name, needed in ports.inputs.items()
    }
    outputs = {name: OutputPort(name, Any) for name in ports.outputs}
    return Ports(inputs, outputs, source=not inputs)


def _describes_object(data: Mapping[str, Value]) -> bool:
    """Whether a mapping names a class, where it is not known what is wanted."""
    kind = data.get("type")
    named = kind is not None and isinstance(kind.data, str) and ":" in kind.data
    return named and data.keys() <= {"type", "with"}


def _find(name: str | None, *values: Value | None) -> Value | None:
    """Return the outermost value with key `name`."""
    waiting = [value for value in values if value is not None]
    for value in waiting:  # the list grows during the iteration
        if name in value.mapping:
            return value.mapping[str(name)]
        waiting += value.data if isinstance(value.data, list) else value.mapping.values()
    return None
