"""Variables: `${NAME}` and `${NAME:-default}` in any text in a file."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TypeAlias

from holoflow.app.document import BROKEN, MAX_DEPTH, SURROGATE, Broken, Value, read_scalar
from holoflow.app.mistakes import Report, short
from holoflow.core.errors import Location

MAX_CHARACTERS = 16_000_000
"""Total length of the text that variables in an app expand to."""
MAX_VALUES = 2_000_000
"""Total number of values that variables and fragment templates in an app expand to."""
_MAX_CHAIN = 50

_REFERENCE = re.compile(r"\$?\$\{(?:(?P<name>[A-Za-z_][A-Za-z0-9_.-]*)(?::-(?P<else>[^{}]*))?\})?")

Lookup: TypeAlias = Callable[[str, Location, bool], "Value | Broken | str | None"]
"""Takes name, place of use and whether there is a default; returns the variable's value.

Text that is the whole value is read like unquoted text. None: not set.
"""


class Allowance:
    """How much variables may still expand to: bounds memory and time for any file."""

    def __init__(self) -> None:
        self.characters = MAX_CHARACTERS
        self.values = MAX_VALUES


def substitute(
    value: Value, lookup: Lookup, report: Report, allowance: Allowance, level: int = 0
) -> Value:
    """Return `value` with all variables filled in; where that fails it is reported and `BROKEN`."""
    data = value.data
    if isinstance(data, dict):
        entries = {
            key: substitute(item, lookup, report, allowance, level + 1)
            for key, item in data.items()
        }
        return _rebuilt(value, entries, list(entries.values()))
    if isinstance(data, list):
        items = [substitute(item, lookup, report, allowance, level + 1) for item in data]
        return _rebuilt(value, items, items)
    if not isinstance(data, str) or "${" not in data:
        return value
    found = _text(data, value.at, lookup, report, allowance)
    if isinstance(found, Value):
        allowance.values -= found.size
        if allowance.values < 0 or level + found.depth > MAX_DEPTH:
            report.add(value.at, "variables expand to too much here", "use fewer of them")
            return Value(BROKEN, value.at)
        return found
    if isinstance(found, Broken):
        return Value(BROKEN, value.at)
    alone = _REFERENCE.fullmatch(data) and not data.startswith("$$")
    return Value(read_scalar(found) if alone else found, value.at, found)


def _rebuilt(old: Value, data: dict[str, Value] | list[Value], items: list[Value]) -> Value:
    size = 1 + sum(item.size for item in items)
    depth = 1 + max((item.depth for item in items), default=0)
    return Value(data, old.at, keys=old.keys, size=size, depth=depth)


def _text(
    text: str, at: Location, lookup: Lookup, report: Report, allowance: Allowance
) -> str | Value | Broken:
    parts: list[str] = []
    end = 0
    broken = False
    for match in _REFERENCE.finditer(text):
        parts.append(text[end : match.start()])
        end = match.end()
        if match[0].startswith("$$"):
            parts.append(match[0][1:])
            continue
        name, default = match["name"], match["else"]
        if name is None:
            wrong = f"{short(text[match.start() : match.start() + 20])} is not a variable"
            report.add(at, wrong, "write ${NAME} or ${NAME:-default}; $${ means ${ itself")
            return BROKEN
        found = lookup(name, at, default is not None)
        if (found is None or found == "") and default is not None:
            found = default
        if isinstance(found, Value) and not isinstance(found.data, (list, dict, Broken)):
            if match[0] == text:
                return found
            found = found.text
        if isinstance(found, str) and SURROGATE.search(found):
            report.add(at, f"variable {short(name)} contains bytes that are not UTF-8")
            broken = True
        elif isinstance(found, str):
            parts.append(found)
            allowance.characters -= len(found)
        elif isinstance(found, Value) and match[0] == text:
            return found
        elif isinstance(found, Value) and not isinstance(found.data, Broken):
            report.add(at, f"{short(name)} is not text, so it cannot be used inside text")
            broken = True
        else:
            broken = True
        if allowance.characters < 0:
            report.add(at, "variables expand to too much text here", "use fewer of them")
            return BROKEN
    return BROKEN if broken else "".join([*parts, text[end:]])


class Variables:
    """The variables of an app: `--set`, then `vars:`, then the environment."""

    def __init__(
        self,
        declared: Value | None,
        settings: Mapping[str, str],
        environment: Mapping[str, str],
        report: Report,
        allowance: Allowance,
    ) -> None:
        """Keep where to look variables up; `declared` is the value of `vars:`."""
        self._declared = declared.mapping if declared else {}
        self._settings = settings
        self._environment = environment
        self._report = report
        self._allowance = allowance
        self._given = {*self._declared, *settings}
        self._known: dict[str, str | Broken | None] = {}
        self._chain: list[str] = []
        self._used: set[str] = set()

    def lookup(self, name: str, at: Location, has_default: bool) -> str | Broken | None:
        """Return the text of variable `name`; None if not set, reported unless it has a default."""
        self._used.add(name)
        if name in self._settings:
            return self._settings[name]
        if name in self._declared:
            return self._declared_text(name, at)
        found = self._environment.get(name)
        if found is None and not has_default:
            right = f"give it with --set {name}=…, under vars:, or as ${{{name}:-default}}"
            right = self._report.suggestion(name, self._given, right)
            self._report.add(at, f"variable {short(name)} is not set", right)
        return found

    def _declared_text(self, name: str, at: Location) -> str | Broken | None:
        if name in self._chain or len(self._chain) >= _MAX_CHAIN:
            chain = " → ".join([*self._chain[-5:], name])
            self._report.add(at, f"variables refer to one another: {chain}", "break the cycle")
            return BROKEN
        if name not in self._known:
            self._chain.append(name)
            raw = self._declared[name]
            value = substitute(raw, self.lookup, self._report, self._allowance)
            self._known[name] = self._scalar_text(name, value)
            self._chain.pop()
        return self._known[name]

    def _scalar_text(self, name: str, value: Value) -> str | Broken:
        if isinstance(value.data, Broken):
            return BROKEN
        if isinstance(value.data, (list, dict)):
            self._report.add(value.at, f"variable {short(name)} is a list or a mapping",
                             "write text, a number, true or false")  # fmt: skip
            return BROKEN
        return value.text

    def resolve_all(self) -> dict[str, str]:
        """Return the texts of all declared variables, reporting their mistakes."""
        found = {
            name: self.lookup(name, raw.at, has_default=False)
            for name, raw in self._declared.items()
        }
        return {name: text for name, text in found.items() if isinstance(text, str)}

    def check_settings(self, at: Location) -> None:
        """Report settings that no variable of the app uses; call it when all are filled in."""
        known = {*self._declared, *self._used}
        for name in self._settings:
            if name not in known:
                self._report.unknown(at, "variable in --set:", name, known)
