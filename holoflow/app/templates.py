"""Files that include other files: `extends:` and fragment templates (`use:`)."""

from __future__ import annotations

import functools
from pathlib import Path

import holoflow.fragments
from holoflow.app import plugins
from holoflow.app.document import BROKEN, Broken, Value, parse, plain, read_file
from holoflow.app.format import AppFile, FragmentFile, ParameterSchema, UseSchema
from holoflow.app.labels import labelled
from holoflow.app.mistakes import PluginError, Report, short, shown
from holoflow.app.operators import OperatorReader
from holoflow.app.unresolved import Scope, TemplateUse, UnresolvedOperator, UnresolvedPort
from holoflow.app.validation import Wording, check
from holoflow.app.variables import Allowance, substitute
from holoflow.app.wiring import find_inputs, find_output
from holoflow.core.errors import Location

_KEY = "extends"
_MAX_CHAIN = 8


def read_app(path: Path, report: Report, text: str | None = None) -> Value | None:
    """Return the app file at `path`, merged over those that it extends.

    Every value keeps its place in its own file. If one of the files cannot be read, that is
    reported and None returned.

    Args:
        path: The app file.
        report: Receives the mistakes.
        text: Of an app built in code: what would be in the file.
    """
    return _read(path, report, (), text)


def _read(
    path: Path, report: Report, chain: tuple[Path, ...], text: str | None = None
) -> Value | None:
    root = read_file(path, report) if text is None else parse(text, str(path), report)
    if root is not None and text is not None:
        root = labelled(root)
    name = root.get(_KEY) if root is not None else None
    if root is None or name is None:
        return root
    base_path = _find(name, report, (*chain, path))
    base = _read(base_path, report, (*chain, path)) if base_path is not None else None
    if base is None:
        return None
    if not isinstance(base.data, dict):
        check(AppFile, base, report)
        return None
    own = {key: item for key, item in root.mapping.items() if key != _KEY}
    return merged(base, Value(own, root.at, keys=root.keys))


def _find(name: Value, report: Report, chain: tuple[Path, ...]) -> Path | None:
    if isinstance(name.data, Broken):
        return None
    if not isinstance(name.data, str):
        wrong = f"'extends' cannot be {shown(plain(name))}"
        report.add(name.at, wrong, "it is the path of an app file, such as app.yaml")
        return None
    folder = Path(name.at.file).parent
    path = folder / name.data
    try:
        if not path.is_file():
            right = f"a path is relative to {folder.absolute()}"
            report.add(name.at, f"there is no file {short(name.data)}", right)
            return None
        files = [file.resolve() for file in (*chain, path)]
    except (OSError, ValueError) as error:
        report.add(name.at, f"{short(name.data)} cannot be read: {error}")
        return None
    if files[-1] in files[:-1] or len(files) > _MAX_CHAIN:
        names = " → ".join(file.name for file in files)
        report.add(name.at, f"apps extend one another: {names}", "break the cycle")
        return None
    return path


def merged(base: Value, over: Value) -> Value:
    """Return `base` changed by `over`.

    Mappings are merged key by key; any other value replaces the existing one, and an entry
    without a value removes it (similar to JSON Merge Patch, RFC 7396).
    """
    if not (isinstance(base.data, dict) and isinstance(over.data, dict)):
        return over
    entries, keys = dict(base.data), dict(base.keys)
    for key, item in over.data.items():
        if key in entries and item.data is None:
            del entries[key], keys[key]
            continue
        below = entries.get(key)
        entries[key] = item if below is None else merged(below, item)
        keys[key] = over.keys[key]
    size = 1 + sum(item.size for item in entries.values())
    depth = 1 + max((item.depth for item in entries.values()), default=0)
    return Value(entries, over.at, keys=keys, size=size, depth=depth)


_MAX_NESTED = 8


@functools.cache
def shipped() -> dict[str, Path]:
    """Return the files of the fragment templates that ship with holoflow, by name."""
    files = (file for folder in holoflow.fragments.__path__ for file in Path(folder).glob("*.yaml"))
    return {file.stem: file for file in sorted(files)}


def offered() -> plugins.Offer:
    """Return the fragment templates that plugins add."""
    return plugins.offered(plugins.FRAGMENTS, frozenset(shipped()))


def templates() -> tuple[dict[str, Path], list[PluginError]]:
    """Return the files of all fragment templates by name, and the problems with plugins."""
    files, problems = dict(shipped()), list(offered().problems)
    for name, entry in offered().entries.items():
        try:
            files[name] = plugins.file_of(entry)
        except PluginError as error:
            problems.append(error)
    return files, problems


class FragmentReader:
    """Reads fragment templates, each file once."""

    def __init__(self, operators: OperatorReader, allowance: Allowance, report: Report) -> None:
        """Use `operators` to read the operators of templates."""
        self._operators = operators
        self._allowance = allowance
        self._report = report
        self._files: dict[Path, Value | None] = {}

    def use(self, group: TemplateUse) -> list[UnresolvedOperator]:
        """Expand `group` from its file and return its operators; report what is wrong."""
        entry = check(
            UseSchema, group.value, self._report, Wording("key", f" of {short(group.local)}")
        )
        name = group.value.get("use")
        if entry is None or name is None:
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
            self._report.add(name.at, "fragment templates expand to too much", "use fewer of them")
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
        check(FragmentFile, filled, self._report, Wording("key"))
        operators = filled.get("operators")
        if operators is None:
            return []
        inner = Scope(f"{group.name}.", group)
        members = self._operators.read_all(operators, inner, self.use)
        group.outputs = self._outputs(filled.get("outputs"), inner)
        group.inputs = self._inputs(filled.get("inputs"), inner)
        if not all(group.inputs.values()):
            for unresolved in members:
                unresolved.unclear = True
        return members

    def _find(self, name: Value, group: TemplateUse) -> Path | None:
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
                right = f"a path is relative to {Path(name.at.file).parent.absolute()}"
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
            wrong = f"fragment templates use one another: {names}"
            self._report.add(name.at, wrong, "break the cycle")
            return None
        return path

    def _find_added(self, name: Value, text: str, group: TemplateUse) -> Path | None:
        """Return the file of a template that a plugin adds; report it and return None if none."""
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

    def _values(self, root: Value, group: TemplateUse) -> dict[str, Value]:
        """Return the value of every parameter: given by the app, or the default."""
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
                    ParameterSchema,
                    item,
                    self._report,
                    Wording("key", f" of parameter {short(name)}"),
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
        self._report.add(at, f"a default cannot contain ${{{name}}}", "write the value itself")
        return BROKEN

    def _outputs(self, exported: Value | None, inner: Scope) -> dict[str, UnresolvedPort | None]:
        found: dict[str, UnresolvedPort | None] = {}
        for name, item in exported.mapping.items() if exported else ():
            found[name] = None
            if isinstance(item.data, str):
                found[name] = find_output(inner, item.data, item.at, self._report)
            elif not isinstance(item.data, Broken):
                self._report.add(item.at, f"output {short(name)} names no port", _WRITE_PORT)
        return found

    def _inputs(self, exported: Value | None, inner: Scope) -> dict[str, list[UnresolvedPort]]:
        found: dict[str, list[UnresolvedPort]] = {}
        for name, item in exported.mapping.items() if exported else ():
            found[name] = []
            for target in item.data if isinstance(item.data, list) else [item]:
                if isinstance(target.data, str):
                    found[name] += find_inputs(inner, target.data, target.at, self._report)
                elif not isinstance(target.data, Broken):
                    self._report.add(target.at, f"input {short(name)} names no port", _WRITE_PORT)
        return found


_WRITE_PORT = "write OPERATOR.PORT"
