"""Reusable fragments: `use:` puts the operators of another file into the app."""

from __future__ import annotations

import functools
from pathlib import Path

import holoflow.fragments
from holoflow.app import plugins
from holoflow.app.document import BROKEN, Broken, Value, read_file
from holoflow.app.drafts import Draft, Group, Port, Scope
from holoflow.app.errors import PluginError
from holoflow.app.format import FragmentFile, ParameterPiece, UsePiece
from holoflow.app.names import find_inputs, find_output
from holoflow.app.operators import OperatorReader
from holoflow.app.report import Report, short
from holoflow.app.shape import Words, check
from holoflow.app.variables import Allowance, substitute
from holoflow.errors import Location

_MAX_NESTED = 8


@functools.cache
def shipped() -> dict[str, Path]:
    """Return the files of the reusable fragments that ship with holoflow, by name."""
    files = (file for folder in holoflow.fragments.__path__ for file in Path(folder).glob("*.yaml"))
    return {file.stem: file for file in sorted(files)}


def offered() -> plugins.Offer:
    """Return the fragment templates that plugins add."""
    return plugins.offered(plugins.FRAGMENTS, frozenset(shipped()))


def templates() -> tuple[dict[str, Path], list[PluginError]]:
    """Return the files of all fragment templates by name, and what is wrong with plugins."""
    files, problems = dict(shipped()), list(offered().problems)
    for name, entry in offered().entries.items():
        try:
            files[name] = plugins.file_of(entry)
        except PluginError as error:
            problems.append(error)
    return files, problems


class FragmentReader:
    """Reads reusable fragments, each file once."""

    def __init__(self, operators: OperatorReader, allowance: Allowance, report: Report) -> None:
        """Operators are read by `operators`."""
        self._operators = operators
        self._allowance = allowance
        self._report = report
        self._files: dict[Path, Value | None] = {}

    def use(self, group: Group) -> list[Draft]:
        """Fill in `group` from its file and return its operators; reports what is wrong."""
        piece = check(
            UsePiece, group.value, self._report, Words("key", f" of {short(group.local)}")
        )
        name = group.value.get("use")
        if piece is None or name is None:
            return []
        group.path = self._find(name, group)
        root = self._read(group.path) if group.path is not None else None
        if root is None:
            return []
        if not isinstance(root.data, dict):
            check(FragmentFile, root, self._report)
            return []
        self._allowance.values -= root.size
        if self._allowance.values < 0:
            self._report.add(name.at, "reusable fragments stand for too much", "use fewer of them")
            return []
        values = self._values(root, group)

        def lookup(name: str, at: Location, _has_default: bool) -> Value | Broken:
            if name not in values:
                self._report.unknown(at, "parameter", name, values, "declare it under parameters:")
            return values.get(name) or BROKEN

        entries = {
            key: item
            if key == "parameters"
            else substitute(item, lookup, self._report, self._allowance)
            for key, item in root.mapping.items()
        }
        filled = Value(entries, root.at, keys=root.keys)
        check(FragmentFile, filled, self._report, Words("key"))
        operators = filled.get("operators")
        if operators is None:
            return []
        inner = Scope(f"{group.name}.", group)
        members = self._operators.read_all(operators, inner, self.use)
        group.outputs = self._outputs(filled.get("outputs"), inner)
        group.inputs = self._inputs(filled.get("inputs"), inner)
        if not all(group.inputs.values()):
            for draft in members:
                draft.unclear = True
        return members

    def _find(self, name: Value, group: Group) -> Path | None:
        text = str(name.data)
        if "/" in text or text.endswith((".yaml", ".yml")):
            path = Path(name.at.file).parent / text
        elif text in shipped():
            path = shipped()[text]
        else:
            found = self._find_added(name, text, group)
            if found is None:
                return None
            path = found
        try:
            if not path.is_file():
                right = f"a path is meant from {Path(name.at.file).parent.absolute()}"
                self._report.add(name.at, f"there is no file {short(text)}", right)
                return None
            chain = [path.resolve()]
        except (OSError, ValueError) as error:
            self._report.add(name.at, f"{short(text)} cannot be read: {error}")
            return None
        outer = group.scope.group
        while outer is not None:
            chain.append(outer.path.resolve() if outer.path else Path())
            outer = outer.scope.group
        if chain[0] in chain[1:] or len(chain) > _MAX_NESTED:
            names = " → ".join(file.name for file in reversed(chain))
            self._report.add(name.at, f"fragments use one another: {names}", "break the circle")
            return None
        return path

    def _find_added(self, name: Value, text: str, group: Group) -> Path | None:
        """Return the file of a template that a plugin adds; None, and report it, if none does."""
        offer = offered()
        wrong = offer.refused.get(text)
        if text in offer.entries:
            try:
                path = plugins.file_of(offer.entries[text])
            except PluginError as error:
                wrong = error
            else:
                group.package = offer.entries[text].package
                return path
        if wrong is not None:
            self._report.add(name.at, wrong.wrong, wrong.right)
        else:
            right = "write ./file.yaml for a file of your own"
            self._report.unknown(name.at, "fragment", text, [*shipped(), *offer.entries], right)
        return None

    def _read(self, path: Path) -> Value | None:
        key = path.resolve()
        if key not in self._files:
            self._files[key] = read_file(path, self._report)
        return self._files[key]

    def _values(self, root: Value, group: Group) -> dict[str, Value]:
        """Return the value of every parameter, as the app gives it or by default."""
        declared = root.get("parameters") or Value({}, root.at)
        given = group.value.get("with") or Value({}, group.at)
        for name in given.mapping:
            if name not in declared.mapping:
                kind = f"parameter of fragment {short(group.local)}:"
                self._report.unknown(given.keys[name], kind, name, declared.mapping)
        values: dict[str, Value] = {}
        for name, item in declared.mapping.items():
            # An empty entry is a required parameter without a doc.
            if item.data is not None:
                check(
                    ParameterPiece, item, self._report, Words("key", f" of parameter {short(name)}")
                )
            default = item.get("default")
            if default is not None:
                default = substitute(default, self._nothing, self._report, self._allowance)
            if name in given.mapping:
                values[name] = given.mapping[name]
            elif default is not None:
                values[name] = default
            else:
                values[name] = Value(BROKEN, item.at)
                doc = item.get("doc")
                if not isinstance(given.data, Broken) and not isinstance(item.data, Broken):
                    wrong = f"missing parameter {short(name)} of fragment {short(group.local)}"
                    self._report.add(group.at, wrong, str(doc.data) if doc else "")
        return values

    def _nothing(self, name: str, at: Location, _has_default: bool) -> Broken:
        self._report.add(at, f"a default cannot hold ${{{name}}}", "write the value itself")
        return BROKEN

    def _outputs(self, exported: Value | None, inner: Scope) -> dict[str, Port | None]:
        found: dict[str, Port | None] = {}
        for name, item in exported.mapping.items() if exported else ():
            found[name] = None
            if isinstance(item.data, str):
                found[name] = find_output(inner, item.data, item.at, self._report)
            elif not isinstance(item.data, Broken):
                self._report.add(item.at, f"output {short(name)} names no port", _WRITE_PORT)
        return found

    def _inputs(self, exported: Value | None, inner: Scope) -> dict[str, list[Port]]:
        found: dict[str, list[Port]] = {}
        for name, item in exported.mapping.items() if exported else ():
            found[name] = []
            for target in item.data if isinstance(item.data, list) else [item]:
                if isinstance(target.data, str):
                    found[name] += find_inputs(inner, target.data, target.at, self._report)
                elif not isinstance(target.data, Broken):
                    self._report.add(target.at, f"input {short(name)} names no port", _WRITE_PORT)
        return found


_WRITE_PORT = "write OPERATOR.PORT"
