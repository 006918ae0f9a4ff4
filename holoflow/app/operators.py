"""The `operators:` of a file become drafts: classes found, parameters checked, ports known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from holoflow.app import catalogue
from holoflow.app.classes import find_class, place_of
from holoflow.app.document import Broken, Value
from holoflow.app.drafts import Draft, Group, Scope
from holoflow.app.errors import TypeNameError
from holoflow.app.format import OperatorPiece
from holoflow.app.native import NativeReader
from holoflow.app.parameters import AssetPaths, check_parameters
from holoflow.app.report import Report, short
from holoflow.app.shape import Words, check
from holoflow.errors import Location, OperatorDefinitionError
from holoflow.operator import Operator

MAX_OPERATORS = 20_000
"""Operators in an app, reusable fragments filled in."""


class OperatorReader:
    """Reads operators; `use` puts a reusable fragment in for an entry with `use:`."""

    def __init__(self, assets: AssetPaths, report: Report) -> None:
        """Nothing is read yet."""
        self.drafts: list[Draft] = []
        self.groups: list[Group] = []
        self._assets = assets
        self._report = report
        self._classes: dict[tuple[str, Path], type | TypeNameError] = {}

    def read_all(
        self, operators: Value, scope: Scope, use: Callable[[Group], list[Draft]]
    ) -> list[Draft]:
        """Read the entries of `operators:` into `scope`; returns the operators, fragments' too."""
        found: list[Draft] = []
        for local, value in operators.mapping.items():
            at = operators.keys[local]
            if len(self.drafts) + len(self.groups) >= MAX_OPERATORS:
                self._report.add(at, f"more than {MAX_OPERATORS:,} operators", "use fewer")
                break
            if "use" in value.mapping:
                group = Group(scope.prefix + local, local, at, value, scope)
                scope.names[local] = group
                self.groups.append(group)
                group.members = use(group)
                found += group.members
            else:
                draft = self._read(local, at, value, scope)
                scope.names[local] = draft
                self.drafts.append(draft)
                found.append(draft)
        return found

    def _read(self, local: str, at: Location, value: Value, scope: Scope) -> Draft:
        words = Words("key", f" of operator {short(local)}", at)
        piece = check(OperatorPiece, value, self._report, words)
        draft = Draft(scope.prefix + local, local, at, value, piece, scope)
        kind = value.get("type")
        if kind is None or not isinstance(kind.data, str):
            return draft
        cls = self.find_class(kind)
        if cls is None:
            return draft
        if issubclass(cls, Operator):
            self._own(draft, cls, kind)
        else:
            self._native(draft, cls, kind)
        return draft

    def find_class(self, kind: Value) -> type | None:
        """Return the class that a `type:` names; None, and report it, if there is none."""
        name, folder = str(kind.data), Path(kind.at.file).parent
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

    def _own(self, draft: Draft, cls: type[Operator], kind: Value) -> None:
        try:
            ports = cls.ports()
            cls.parameters()
        except Exception as error:  # annotations are the user's code: anything may come out
            known = isinstance(error, OperatorDefinitionError)
            wrong, _, right = str(error).partition("; ")
            wrong = wrong if known else f"{type(error).__name__}: {wrong}"
            self._report.add(kind.at, f"{place_of(cls)}{wrong}", right)
            return
        draft.cls, draft.ports = cls, ports
        conditions = draft.value.keys.get("conditions")
        if conditions is not None:
            right = f"{short(draft.local)} is not one of them"
            self._report.add(conditions, "conditions belong to operators of Holoscan's", right)
        given = self._given(draft)
        if given is not None:
            draft.parameters = check_parameters(
                cls, given, draft.local, draft.at, self._assets, self._report
            )

    def _native(self, draft: Draft, cls: type, kind: Value) -> None:
        from holoflow.engine import native

        if not native.is_operator(cls):
            right = "name a class derived from holoflow.Operator or holoscan.core.Operator"
            self._report.add(kind.at, f"{short(kind.text)} is no operator", right)
            return
        if "sync" in draft.value.keys:
            right = "operators of Holoscan's have conditions instead"
            self._report.add(draft.value.keys["sync"], "sync is not for this operator", right)
        given = self._given(draft)
        if given is None:
            return
        reader = NativeReader(self.find_class, self._report)
        filled = self._assets.fill_in(given, self._report)
        conditions = draft.value.get("conditions")
        read = reader.read(cls, filled, conditions, draft.local, draft.at)
        draft.native, draft.ports = read
        draft.cls = cls

    def _given(self, draft: Draft) -> Value | None:
        """Return the value of `with:`, an empty mapping without it; None if it is wrong."""
        given = draft.value.get("with")
        if given is None or given.data is None:
            return Value({}, draft.at)
        if isinstance(given.data, (Broken, str, int, float, list)):
            return None
        return given
