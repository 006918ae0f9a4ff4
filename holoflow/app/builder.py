"""Apps built in code: they make the same mappings as a file has, and are checked by its reader."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from holoflow.app import catalogue
from holoflow.app.format import AppFile
from holoflow.app.graph import App
from holoflow.app.load import load
from holoflow.app.mistakes import TypeNameError, short
from holoflow.app.writing import written
from holoflow.core.errors import HoloflowError
from holoflow.core.operator import Operator
from holoflow.core.ports import Ports
from holoflow.core.text import choices, suggestion


class AppBuilder:
    """An app built in code: `holoflow.App("faces")`.

    Its `document` is what an app file would say, as nested mappings; the methods add to it, and
    whatever they do not do is set in it. Values are written as in the file: quantities with their
    units, `asset:NAME`, `${NAME}`. Files are relative to the folder in which the app was made.
    """

    def __init__(self, name: str, /, **entries: Any) -> None:
        """Begin the app `name`.

        Args:
            name: Its name.
            entries: Other keys of the app file, such as `scheduler={"workers": 4}`.
        """
        self.document: dict[str, Any] = {"app": name, **entries}
        self._folder = Path.cwd()
        self._classes: dict[str, type] = {}
        """Those that were given as classes, by their names in the document."""

    def add(
        self, name: str, kind: str | type, entry: Mapping[str, Any] | None = None, /,
        **parameters: Any,
    ) -> str:  # fmt: skip
        """Add an operator; return its name, by which flows refer to it.

        Args:
            name: Name of the operator in the app.
            kind: A class, or what `type:` says in a file: `capture.video`, `./file.py:ClassOp`.
            entry: Other keys of the operator, such as `{"copies": 2, "on_error": "skip"}`.
            parameters: Parameters of the operator: `with:` in a file.

        Raises:
            HoloflowError: The app has an operator of that name, or a value cannot be in a file.
        """
        made = {"type": kind, "with": parameters, **(entry or {})}
        return self._put("operators", name, made)

    def use(self, name: str, template: str, /, **parameters: Any) -> str:
        """Use a fragment template; return `name`, by which flows refer to it.

        Args:
            name: Name of the group of operators in the app.
            template: Its name in the catalogue, or `./file.yaml`.
            parameters: Its parameters.

        Raises:
            HoloflowError: The app has an operator of that name, or a value cannot be in a file.
        """
        return self._put("operators", name, {"use": template, "with": parameters})

    def flow(self, source: str | Sequence[str], target: str, /, **entry: Any) -> None:
        """Connect an output to an input.

        Args:
            source: `camera`, or `camera.image` if it has several outputs; a list of them for an
                input that takes a list.
            target: `detect.image`, or `detect` if it has one input. A second flow to one input
                makes a list of the two.
            entry: Other keys of the flow, such as `queue=4, when_full="drop_oldest"`.

        Raises:
            HoloflowError: There is no such operator, or it has several inputs.
        """
        name, port = self._input(target)
        producers: list[Any] = [source] if isinstance(source, str) else list(source)
        if entry:
            producers = [{"from": producer, **entry} for producer in producers]
        made = _plain(producers, target, self._reference)
        inputs = self.document["operators"][name].setdefault("inputs", {})
        if port in inputs:
            before = inputs[port]
            inputs[port] = [*(before if isinstance(before, list) else [before]), *made]
        else:
            inputs[port] = made[0] if isinstance(source, str) else made

    def fragment(self, name: str, operators: Sequence[str], /, **entry: Any) -> None:
        """Have `operators` run in a process of their own, if fragments are to run apart.

        Args:
            name: Name of the fragment.
            operators: Names of operators and of used fragment templates.
            entry: Other keys of the fragment, such as `host="edge-a", cores=[0, 1]`.

        Raises:
            HoloflowError: The app has a fragment of that name, or a value cannot be in a file.
        """
        self._put("fragments", name, {"operators": list(operators), **entry})

    def yaml(self) -> str:
        """Return the app file that says the same, to be kept in the folder of the app.

        Raises:
            HoloflowError: A value in `document` cannot be in a file.
        """
        order = [field.alias or key for key, field in AppFile.model_fields.items()]
        known = [key for key in order if key in self.document]
        others = [key for key in self.document if key not in known]
        entries = {key: self.document[key] for key in (*known, *others)}
        return written(_plain(entries, "", self._reference))

    def check(self) -> App:
        """Return the checked app, as `holoflow.load` does for a file.

        Raises:
            AppError: The app is wrong; the error has every mistake, and names operator and port.
        """
        path = self._folder / f"{self.document['app']}.yaml"
        return load(path, text=self.yaml(), classes=self._classes)

    def _put(self, section: str, name: str, entry: Mapping[str, Any]) -> str:
        entries = self.document.setdefault(section, {})
        if name in entries:
            kind = section.removesuffix("s")
            raise HoloflowError(f"the app has two {section} {short(name)}", f"rename one {kind}")
        made = _plain(entry, name, self._reference)
        entries[name] = {key: value for key, value in made.items() if value != {}}
        return name

    def _input(self, target: str) -> tuple[str, str]:
        """Return the operator and the port that `target` names."""
        name, dot, port = target.partition(".")
        known = self.document.get("operators", {})
        if name not in known:
            right = suggestion(name, list(known), "add it before its flows")
            raise HoloflowError(f"unknown operator {short(name)}", right)
        if dot:
            return name, port
        ports = self._ports(known[name].get("type", ""))
        inputs = list(ports.inputs) if ports is not None else []
        if len(inputs) == 1:
            return name, inputs[0]
        if ports is not None and not inputs and ports.open_inputs is None:
            raise HoloflowError(f"{short(name)} has no inputs", "flows end at an input")
        named = choices((f"{name}.{one}" for one in inputs or ["PORT"]), " or ")
        raise HoloflowError(f"to which input of {short(name)}?", f"write {named}")

    def _ports(self, kind: str) -> Ports | None:
        """Return the ports of a class; None for those of Holoscan and for fragment templates."""
        cls = self._classes.get(kind)
        if cls is None and kind:
            cls = catalogue.find_class(kind, self._folder)
        return cls.ports() if cls is not None and issubclass(cls, Operator) else None

    def _reference(self, cls: type) -> str:
        """Return the name of `cls` in the app file, and keep the class."""
        name = _reference(cls, self._folder)
        if self._classes.setdefault(name, cls) is not cls:
            wrong = f"two classes of the app are called {short(name)}"
            raise HoloflowError(wrong, "give one of them another name")
        return name


def _reference(cls: type, folder: Path) -> str:
    """Return the name of a class in an app file in `folder`.

    A class that only this process has, such as that of a notebook, is named by its module.
    """
    prefix = "holoflow.operators."
    if cls.__module__.startswith(prefix) and issubclass(cls, Operator):
        return cls.__module__.removeprefix(prefix)
    try:
        found = catalogue.reference(cls)
    except TypeNameError:
        return f"{cls.__module__}:{cls.__qualname__}"
    file, _, name = found.rpartition(":")
    inside = file.startswith("/") and Path(file).is_relative_to(folder)
    return f"./{Path(file).relative_to(folder)}:{name}" if inside else found


def _plain(value: Any, whose: str, reference: Callable[[type], str]) -> Any:
    """Return `value` as a file can say it: mappings, lists and scalars."""
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, type):
        return reference(value)
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: _plain(item, whose or key, reference) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, whose, reference) for item in value]
    if hasattr(value, "item") and getattr(value, "shape", None) == ():  # a number of NumPy's
        return value.item()
    wrong = f"{whose}: an app file cannot have {short(repr(value))}, a {type(value).__name__}"
    raise HoloflowError(wrong, "write text, a number, true or false, a list or a mapping")
