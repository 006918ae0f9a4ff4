"""Validation of app file values against pydantic models, with mistakes reported at their places."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

import pydantic
from pydantic_core import ErrorDetails

from holoflow.app.document import YAML_1_1_BOOLEANS, Broken, Plain, Value, plain
from holoflow.app.mistakes import Report, Schema, allowed, short, shown, subschema
from holoflow.core.errors import HoloflowError, Location, parts
from holoflow.core.quantity import UNITS_REQUIRED

M = TypeVar("M", bound=pydantic.BaseModel)
Path: TypeAlias = tuple["str | int", ...]

KEY = "[key]"
"""How pydantic marks an error in the key itself."""


@dataclass(frozen=True)
class Wording:
    """How mistakes of a mapping are worded."""

    noun: str = "key"
    """What its entries are called."""
    owner: str = ""
    """What it belongs to."""
    missing_at: Location | None = None
    """Where a missing entry is reported; None: at the start of the mapping."""


def check(model: type[M], value: Value, report: Report, words: Wording | None = None) -> M | None:
    """Return `value` as a `model`, reporting every mistake in it.

    Wrong entries are left out of the model; None if it is not valid without them.
    """
    data = plain(value)
    if isinstance(data, Broken):
        return None
    try:
        return _validate(model, data)
    except pydantic.ValidationError as error:
        problems = _problems(error, value)
    _Reporter(model, value, report, words or Wording()).report_all(problems)
    for problem in problems:
        _prune(data, problem.path)
    try:
        return _validate(model, data)
    except pydantic.ValidationError:
        return None


def _validate(model: type[M], data: Any) -> M:
    # As JSON, strict means the same as in JSON Schema: not true for 1, but a list for a tuple.
    return model.model_validate_json(json.dumps(data), strict=True, context=UNITS_REQUIRED)


@functools.lru_cache(maxsize=512)
def json_schema(model: type[pydantic.BaseModel]) -> Schema:
    """Return the JSON Schema of `model`; empty if it cannot be expressed in JSON Schema."""
    try:
        return model.model_json_schema()
    except Exception:  # user types may raise anything; mistakes are then worded without a schema
        return {}


@dataclass(frozen=True)
class _Problem:
    path: Path
    """Path as far as it exists in the value."""
    kind: str
    """pydantic's type of error."""
    name: str
    """Name of a missing or unknown entry."""
    message: str
    """In pydantic's words, or what a check said is wrong."""
    right: str
    """What a check said would be right."""
    is_key: bool
    union: Path | None
    """Where the value was tried against several types."""
    branch: str
    """Which of these types."""

    @property
    def rank(self) -> tuple[int, bool]:
        """How far a type of a union matched the value: the one meant matches furthest."""
        return len(self.path), self.kind in ("missing", "extra_forbidden")


def _problems(error: pydantic.ValidationError, value: Value) -> list[_Problem]:
    items = error.errors(include_url=False, include_input=False)
    found = [_problem(item, value) for item in items]
    groups: dict[Path | None, list[_Problem]] = {}
    for problem in found:
        groups.setdefault(problem.union, []).append(problem)
    kept = groups.pop(None, [])
    for problems in groups.values():
        best = max(problem.rank for problem in problems)
        branches = {problem.branch for problem in problems if problem.rank == best}
        kept += [problem for problem in problems if problem.branch in branches]
    # A list of the wrong length is one mistake, whatever else is wrong inside.
    short_lists = {problem.path for problem in kept if problem.kind == "too_short"}
    return [
        problem
        for problem in kept
        if not any(problem.path[:i] in short_lists for i in range(len(problem.path)))
    ]


def _problem(item: ErrorDetails, value: Value) -> _Problem:
    kind, loc = item["type"], list(item["loc"])
    name = ""
    if kind == "missing":
        name = str(last := loc.pop())
        if isinstance(last, int):
            kind = "too_short"
    path: list[str | int] = []
    union: Path | None = None
    branch = ""
    is_key = bool(loc) and loc[-1] == KEY
    for step in loc[:-1] if is_key else loc:
        data = value.data
        if isinstance(data, dict) and str(step) in data:
            step = str(step)
            value = data[step]
        elif isinstance(data, list) and isinstance(step, int) and step < len(data):
            value = data[step]
        else:
            if union is None:
                union, branch = tuple(path), str(step)
            continue
        path.append(step)
    if kind == "extra_forbidden":
        name = str(path[-1])
    message, right = _said(item)
    return _Problem(tuple(path), kind, name, message, right, is_key, union, branch)


def _said(item: ErrorDetails) -> tuple[str, str]:
    """Return what an error says is wrong, and what it says would be right."""
    error = item.get("ctx", {}).get("error")
    if isinstance(error, HoloflowError):
        return parts(error)
    return item["msg"].removeprefix("Value error, "), ""


def _prune(data: Plain | Broken, path: Path) -> None:
    """Remove from nested mappings the innermost entry that the value at `path` belongs to."""
    while path and isinstance(path[-1], int):
        path = path[:-1]
    for step in path[:-1]:
        if isinstance(data, dict) and step in data:
            data = data[str(step)]
        elif isinstance(data, list) and isinstance(step, int) and step < len(data):
            data = data[step]
        else:
            return
    if path and isinstance(data, dict):
        data.pop(str(path[-1]), None)


def _at(value: Value, path: Path) -> Value:
    for step in path:
        data = value.data
        if isinstance(data, dict):
            value = data[str(step)]
        elif isinstance(data, list):
            value = data[int(step)]
    return value


class _Reporter:
    """Reports the problems of one value in words."""

    def __init__(
        self, model: type[pydantic.BaseModel], value: Value, report: Report, words: Wording
    ) -> None:
        self.schema = json_schema(model)
        self.value = value
        self.report = report
        self.words = words

    def report_all(self, problems: Sequence[_Problem]) -> None:
        missing: dict[Path, list[str]] = {}
        for problem in problems:
            if problem.kind == "missing":
                missing.setdefault(problem.path, []).append(problem.name)
        meant = {
            (above, self.report.nearest(problem.name, missing[above]))
            for problem in problems
            if problem.kind == "extra_forbidden" and (above := problem.path[:-1]) in missing
        }
        reported: set[Path] = set()
        for problem in problems:
            if problem.kind == "missing":
                # A misspelled key is one mistake, not an unknown one and a missing one.
                if (problem.path, problem.name) not in meant:
                    self.report_missing(problem)
            elif problem.kind == "extra_forbidden":
                self.report_unknown(problem)
            elif problem.path not in reported:
                reported.add(problem.path)
                self.report_wrong(problem)

    def properties(self, path: Path) -> Schema:
        found = subschema(self.schema, path, self.schema) or {}
        properties: Schema = found.get("properties", {})
        return properties

    def owner(self, path: Path) -> str:
        if not path:
            return self.words.owner
        return " of " + ".".join(str(step) for step in path)

    def report_missing(self, problem: _Problem) -> None:
        place = _at(self.value, problem.path)
        if problem.name in place.mapping:
            return  # It exists, but a mistake in it has been reported.
        noun = self.words.noun if not problem.path else "key"
        wrong = f"missing {noun} {short(problem.name)}{self.owner(problem.path)}"
        schema = self.properties(problem.path).get(problem.name, {})
        text, meaning = allowed(schema, self.schema), schema.get("description", "")
        right = f"it is {text}" if text else ""
        right += (f" ({meaning})" if right else meaning) if meaning else ""
        at = self.words.missing_at if not problem.path else None
        self.report.add(at or place.at, wrong, right)

    def report_unknown(self, problem: _Problem) -> None:
        above = problem.path[:-1]
        at = _at(self.value, above).keys[problem.name]
        noun = self.words.noun if not above else "key"
        known = self.properties(above)
        kind = f"{noun} {short(problem.name)}{self.owner(above)}"
        self.report.add(at, f"unknown {kind}", self.report.suggestion(problem.name, known))

    def report_wrong(self, problem: _Problem) -> None:
        value = _at(self.value, problem.path)
        label = _label(problem.path)
        if problem.is_key:
            key = str(problem.path[-1])
            at = _at(self.value, problem.path[:-1]).keys[key]
            self.report.add(at, f"the name {short(key)} is not allowed", _NAME_RULE)
        elif not problem.path and problem.union:
            self.report.add(value.at, problem.message, problem.right)
        elif problem.kind in ("value_error", "assertion_error"):
            wrong = f"{label}: {problem.message}" if label else problem.message
            self.report.add(value.at, wrong, problem.right)
        else:
            schema = subschema(self.schema, problem.path, self.schema) or {}
            text = allowed(schema, self.schema)
            right = f"it is {text}"
            if not text or (problem.kind.startswith(("greater", "less")) and "number" not in text):
                right = problem.message.replace("Input should", "it should")
            if "true or false" in text and value.text.lower() in YAML_1_1_BOOLEANS:
                right = f"write true or false ({value.text} is text in YAML 1.2)"
            self.report.add(value.at, f"{label or 'this'} cannot be {shown(plain(value))}", right)


_NAME_RULE = "a name starts with a letter and contains only letters, digits, _ and -"


def _label(path: Path) -> str:
    """Return the entry at `path`, in quotes: `'size[1]'`, `'names.left'`."""
    name = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return short(name.removeprefix(".")) if name else ""
