"""The `operators:` of a file: finds classes, checks parameters, reads ports."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pydantic

from holoflow.app import catalogue
from holoflow.app.catalogue import find_class, find_function, place_of
from holoflow.app.document import BROKEN, Broken, Value, is_whole, plain
from holoflow.app.format import OperatorSchema
from holoflow.app.holoscan_operators import (
    HoloscanReader,
    read_loggers,
    read_resources,
    read_section,
    read_services,
)
from holoflow.app.mistakes import Report, TypeNameError, short
from holoflow.app.unresolved import Scope, TemplateUse, UnresolvedOperator
from holoflow.app.validation import Wording, check
from holoflow.assets.source import Asset
from holoflow.core.errors import Location, parts
from holoflow.core.files import InputPathMarker
from holoflow.core.operator import Operator
from holoflow.core.ports import Ports
from holoflow.holoscan.classes import HoloscanObject

ASSET_PREFIX = "asset:"

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_GLOB = re.compile(r"[*?\[]")


class AssetPaths:
    """Paths of an app's assets once they are fetched."""

    def __init__(self, assets: Mapping[str, Asset], declared: Mapping[str, Value]) -> None:
        """Keep the checked `assets` of all that are `declared`."""
        from holoflow.assets import cached_path

        self._paths = {name: str(cached_path(asset)) for name, asset in assets.items()}
        self._declared = declared
        self.all = frozenset(self._paths.values())

    def fill_in(self, value: Value, report: Report) -> Value:
        """Return `value` with every `asset:NAME` replaced by the path of that asset."""
        data = value.data
        if isinstance(data, dict):
            entries = {key: self.fill_in(item, report) for key, item in data.items()}
            return Value(entries, value.at, keys=value.keys)
        if isinstance(data, list):
            return Value([self.fill_in(item, report) for item in data], value.at)
        if not isinstance(data, str) or not data.startswith(ASSET_PREFIX):
            return value
        name = data.removeprefix(ASSET_PREFIX)
        if name in self._paths:
            path = self._paths[name]
            return Value(path, value.at, path)
        if name not in self._declared:
            report.unknown(value.at, "asset", name, self._declared, "name it under assets:")
        return Value(BROKEN, value.at)


def check_parameters(
    cls: type[Operator], given: Value, name: str, at: Location, assets: AssetPaths, report: Report
) -> dict[str, Any]:
    """Return the parameters of an operator as `Operator.from_app` takes them.

    Args:
        cls: Class of the operator.
        given: Value of `with:`.
        name: Name of the operator.
        at: Place of the name.
        assets: Paths to fill in.
        report: Receives the mistakes.

    Returns:
        The parameters by name; paths are absolute.
    """
    model = cls.parameters()
    filled = assets.fill_in(given, report)
    words = Wording("parameter", f" of operator {short(name)}", at)
    try:
        checked = check(model, filled, report, words)
    except Exception as error:  # a validator is user code and may raise anything
        wrong = f"the parameters of {short(name)} cannot be checked"
        right = "a check should raise ValueError"
        report.add(at, f"{wrong}: {type(error).__name__}: {error}", right)
        return {}
    entries = dict(filled.mapping)
    for parameter in checked.model_fields_set if checked is not None else ():
        field = model.model_fields[parameter]
        kinds = list(_kinds(field.annotation, field.metadata))
        if any(isinstance(kind, InputPathMarker) for kind in kinds):
            known = assets.all.union(kind for kind in kinds if isinstance(kind, str))
            entries[parameter] = _with_files(entries[parameter], known, report)
    settled = Value(entries, given.at)
    data = plain(settled)
    parameters: dict[str, Any] = data if isinstance(data, dict) else {}
    if checked is not None and is_whole(settled) and cls.__init__ is not Operator.__init__:
        _construct(cls, parameters, name, at, report)
    return parameters


def _construct(
    cls: type[Operator], parameters: Mapping[str, Any], name: str, at: Location, report: Report
) -> None:
    """Construct the operator, so that it checks its parameters together."""
    try:
        cls.from_app(parameters)
    except pydantic.ValidationError:
        pass  # a single parameter is wrong, which has been reported at its place
    except Exception as error:  # user code may raise anything
        wrong, right = parts(error)
        if isinstance(error, ValueError):  # what a check says
            wrong = wrong.removeprefix(f"{type(error).__name__}: ")
        report.add(at, f"operator {short(name)}: {wrong}", right)


def _with_files(value: Value, known: frozenset[str], report: Report) -> Value:
    """Return a parameter's value with paths made absolute, except `known` texts.

    Missing files are reported.
    """
    data = value.data
    if isinstance(data, dict):
        entries = {key: _with_files(item, known, report) for key, item in data.items()}
        return Value(entries, value.at, keys=value.keys)
    if isinstance(data, list):
        return Value([_with_files(item, known, report) for item in data], value.at)
    if not isinstance(data, str) or data in known or _URL.match(data) or data.startswith("/dev/"):
        return value
    folder = Path(value.at.file).parent
    path = _existing(data, folder)
    if path is not None:
        return Value(str(path), value.at, data)
    what = "no folder for" if _GLOB.search(data) else "no file"
    right = f"a path is relative to {folder.absolute()} or to the current folder"
    report.add(value.at, f"there is {what} {short(data)}", right)
    return Value(BROKEN, value.at)


def _kinds(annotation: Any, metadata: list[Any]) -> Iterator[Any]:
    """Yield the parts of an annotation: its metadata and literal choices."""
    yield from metadata
    if get_origin(annotation) is Literal:
        yield from get_args(annotation)
        return
    yield from getattr(annotation, "__metadata__", ())
    for part in get_args(annotation):
        yield from _kinds(part, [])


def _existing(text: str, folder: Path) -> Path | None:
    """Return the absolute path for `text`, which may be a pattern such as `*.png`; None if none."""
    parts = Path(text).parts
    fixed = next((i for i, part in enumerate(parts) if _GLOB.search(part)), None)
    for start in (folder.absolute(), Path.cwd()):
        try:
            if text and (start / text).exists():
                return start / text
            if fixed is not None and start.joinpath(*parts[:fixed]).is_dir():
                return start / text
        except (OSError, ValueError):  # a name too long, a null character
            return None
    return None


MAX_OPERATORS = 20_000
"""Operators in an app, fragment templates expanded."""


class OperatorReader:
    """Reads operators."""

    def __init__(
        self, assets: AssetPaths, resources: Value | None, report: Report,
        classes: Mapping[str, type] | None = None,
    ) -> None:  # fmt: skip
        self.unresolved_operators: list[UnresolvedOperator] = []
        self.groups: list[TemplateUse] = []
        self._assets = assets
        self._report = report
        self._given_classes = classes or {}
        """Classes that need not be imported."""
        self._classes: dict[tuple[str, Path], type | TypeNameError] = {}
        filled = assets.fill_in(resources, report) if resources is not None else None
        self._resources = read_resources(filled, self, report)

    def read_services(self, value: Value | None) -> dict[str, HoloscanObject]:
        """Read the app's `services:`."""
        filled = self._assets.fill_in(value, self._report) if value is not None else None
        return read_services(filled, self, self._resources, self._report)

    def read_loggers(self, value: Value | None) -> dict[str, HoloscanObject]:
        """Read the app's `loggers:`."""
        filled = self._assets.fill_in(value, self._report) if value is not None else None
        return read_loggers(filled, self, self._resources, self._report)

    def read_all(
        self, operators: Value, scope: Scope, use: Callable[[TemplateUse], list[UnresolvedOperator]]
    ) -> list[UnresolvedOperator]:
        """Read the entries of `operators:` into `scope`.

        Args:
            operators: Value of `operators:`.
            scope: Receives the names.
            use: Expands the fragment template of an entry with `use:`.

        Returns:
            The operators, including those of templates.
        """
        found: list[UnresolvedOperator] = []
        for local, value in operators.mapping.items():
            at = operators.keys[local]
            if len(self.unresolved_operators) + len(self.groups) >= MAX_OPERATORS:
                self._report.add(at, f"more than {MAX_OPERATORS:,} operators", "use fewer")
                break
            if "use" in value.mapping:
                group = TemplateUse(scope.prefix + local, local, at, value, scope)
                scope.names[local] = group
                self.groups.append(group)
                group.members = use(group)
                found += group.members
            else:
                unresolved = self._read(local, at, value, scope)
                scope.names[local] = unresolved
                self.unresolved_operators.append(unresolved)
                found.append(unresolved)
        return found

    def _read(self, local: str, at: Location, value: Value, scope: Scope) -> UnresolvedOperator:
        words = Wording("key", f" of operator {short(local)}", at)
        entry = check(OperatorSchema, value, self._report, words)
        unresolved = UnresolvedOperator(scope.prefix + local, local, at, value, entry, scope)
        kind = value.get("type")
        if kind is None or not isinstance(kind.data, str):
            return unresolved
        cls = self.find_class(kind)
        if cls is None:
            return unresolved
        if issubclass(cls, Operator):
            self._own(unresolved, cls, kind)
        else:
            self._holoscan_operator(unresolved, cls, kind)
        return unresolved

    def find_class(self, kind: Value) -> type | None:
        """Return the class that a `type:` names; report it and return None if there is none."""
        name, folder = str(kind.data), Path(kind.at.file).parent
        if name in self._given_classes:
            return self._given_classes[name]
        own = ":" in name or "/" in name or name.endswith(".py")
        if not own and not catalogue.knows(name):
            known, otherwise = catalogue.names(), catalogue.elsewhere(name)
            self._report.unknown(kind.at, "operator type", name, known, otherwise)
            return None
        if (name, folder) not in self._classes:
            try:
                self._classes[name, folder] = find_class(name, folder)
            except TypeNameError as error:
                self._classes[name, folder] = error
        found = self._classes[name, folder]
        if isinstance(found, TypeNameError):
            self._report.add(kind.at, found.wrong, found.right)
            return None
        return found

    def find_function(self, name: Value) -> Callable[..., Any] | None:
        """Return the function that `name` names; report it and return None if there is none."""
        try:
            return find_function(name.text, Path(name.at.file).parent)
        except TypeNameError as error:
            self._report.add(name.at, error.wrong, error.right)
            return None

    def _check_concurrency(
        self, unresolved: UnresolvedOperator, cls: type[Operator], ports: Ports
    ) -> None:
        """Report `in_flight` of what is no source, and `copies` of what cannot have any."""
        entry, keys, name = unresolved.entry, unresolved.value.keys, short(unresolved.local)
        if entry is None:
            return
        if entry.in_flight is not None and not ports.source:
            wrong = f"in_flight is for sources, and {name} has inputs"
            right = "set it at the source of its frames, or for all sources in defaults"
            self._report.add(keys["in_flight"], wrong, right)
        if entry.copies in (1, "auto"):
            return
        at = keys["copies"]
        if ports.source:
            self._report.add(at, f"{name} is a source, of which there is only one", "copies: 1")
        elif ports.generator:
            wrong = f"{name} sends several messages for one, which copies cannot do"
            self._report.add(at, wrong, "copies: 1")
        elif not cls.stateless:
            wrong = f"{name} may keep state between frames, as {cls.__name__} does not deny it"
            right = "copies: 1, or, if process() depends on its arguments alone and may be called "
            right += "from several threads, `stateless: ClassVar[bool] = True` in the class"
            self._report.add(at, wrong, right)

    def _own(self, unresolved: UnresolvedOperator, cls: type[Operator], kind: Value) -> None:
        try:
            ports = cls.ports()
            cls.parameters()
        except Exception as error:  # annotations are user code and may raise anything
            wrong, right = parts(error)
            self._report.add(kind.at, f"{place_of(cls)}{wrong}", right)
            return
        unresolved.cls, unresolved.ports = cls, ports
        for key in ("conditions", "after", "dynamic_flows", "config"):
            at = unresolved.value.keys.get(key)
            if at is not None:
                right = f"{short(unresolved.local)} is not one of them"
                verb = "are" if key.endswith("s") else "is"
                self._report.add(at, f"{key} {verb} for Holoscan operators", right)
        self._check_concurrency(unresolved, cls, ports)
        given = self._given(unresolved)
        if given is not None:
            unresolved.parameters = check_parameters(
                cls, given, unresolved.local, unresolved.at, self._assets, self._report
            )

    def _holoscan_operator(self, unresolved: UnresolvedOperator, cls: type, kind: Value) -> None:
        from holoflow.holoscan import classes

        if not classes.is_operator(cls):
            right = "name a class derived from holoflow.Operator or holoscan.core.Operator"
            self._report.add(kind.at, f"{short(kind.text)} is not an operator", right)
            return
        if "sync" in unresolved.value.keys:
            right = "Holoscan operators have conditions instead"
            self._report.add(unresolved.value.keys["sync"], "sync is not for this operator", right)
        given = self._given(unresolved)
        if given is None:
            return
        config = unresolved.value.get("config")
        if config is not None and config.data is not None:
            section = read_section(config, self._report)
            if section is None:
                return
            entries = {**section.mapping, **given.mapping}
            given = Value(entries, given.at, keys={**section.keys, **given.keys})
        reader = HoloscanReader(self, self._resources, self._report)
        filled = self._assets.fill_in(given, self._report)
        conditions = unresolved.value.get("conditions")
        made, unresolved.ports = reader.read(
            cls, filled, conditions, unresolved.local, unresolved.at
        )
        chooser = unresolved.value.get("dynamic_flows")
        if chooser is not None and isinstance(chooser.data, str):
            choose = self.find_function(chooser)
            made = replace(made, dynamic_flows=choose) if made and choose else None
        unresolved.holoscan_operator = made
        unresolved.cls = cls

    def _given(self, unresolved: UnresolvedOperator) -> Value | None:
        """Return the value of `with:`, an empty mapping if there is none; None if it is wrong."""
        given = unresolved.value.get("with")
        if given is None or given.data is None:
            return Value({}, unresolved.at)
        if isinstance(given.data, (Broken, str, int, float, list)):
            return None
        return given
