"""Parameters of an operator: assets and paths are found, and all is checked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pydantic

from holoflow.app.document import BROKEN, Value, is_whole, plain
from holoflow.app.report import Report, short
from holoflow.app.shape import Words, check
from holoflow.assets.asset import Asset
from holoflow.errors import Location
from holoflow.operator import Operator
from holoflow.paths import InputPathMarker

ASSET_PREFIX = "asset:"

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_GLOB = re.compile(r"[*?\[]")


class AssetPaths:
    """Where the assets of an app lie once they are fetched."""

    def __init__(self, assets: Mapping[str, Asset], declared: Mapping[str, Value]) -> None:
        """Keep the checked `assets` of all that are `declared`."""
        from holoflow.assets import cached_path

        self._paths = {name: str(cached_path(asset)) for name, asset in assets.items()}
        self._declared = declared
        self.all = frozenset(self._paths.values())

    def fill_in(self, value: Value, report: Report) -> Value:
        """Return `value` with every `asset:NAME` in it replaced by the path of that asset."""
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

    `given` is the value of `with:`, `name` the operator's and `at` its place. Paths come out
    absolute.
    """
    model = cls.parameters()
    filled = assets.fill_in(given, report)
    words = Words("parameter", f" of operator {short(name)}", at)
    try:
        checked = check(model, filled, report, words)
    except Exception as error:  # a validator is the user's code: anything may come out
        wrong = f"the parameters of {short(name)} cannot be checked"
        report.add(at, f"{wrong}: {type(error).__name__}: {error}", "a check raises ValueError")
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
    """Make the operator for the sake of what it checks itself: parameters taken together."""
    try:
        cls.from_app(parameters)
    except pydantic.ValidationError:
        pass  # one parameter, taken alone: that has been reported at its place
    except Exception as error:  # it is the user's code: anything may come out
        wrong, _, right = f"{error}".replace("\n", ", ").partition("; ")
        kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
        report.add(at, f"operator {short(name)}: {kind}{wrong}", right)


def _with_files(value: Value, known: frozenset[str], report: Report) -> Value:
    """Return the value of a parameter with absolute paths, `known` texts left as they are.

    Reports what is missing.
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
    right = f"a path is meant from {folder.absolute()}, or from the current folder"
    report.add(value.at, f"there is {what} {short(data)}", right)
    return Value(BROKEN, value.at)


def _kinds(annotation: Any, metadata: list[Any]) -> Iterator[Any]:
    """Yield what an annotation is made of: metadata, choices of literals."""
    yield from metadata
    if get_origin(annotation) is Literal:
        yield from get_args(annotation)
        return
    yield from getattr(annotation, "__metadata__", ())
    for part in get_args(annotation):
        yield from _kinds(part, [])


def _existing(text: str, folder: Path) -> Path | None:
    """Return the absolute path of what `text` means, which may be a pattern such as `*.png`."""
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
