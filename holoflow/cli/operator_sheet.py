"""What `holoflow ops show` prints about an operator of holoflow or Holoscan.

Parameters of a Holoscan operator are those of its constructor; its ports are those that it has once
it is made. They are described in its docstring, in sections of NumPy's style.
"""

from __future__ import annotations

import functools
import inspect
import re
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter
from pydantic.fields import FieldInfo

from holoflow.app.catalogue import extras, place_of
from holoflow.app.mistakes import allowed, shown
from holoflow.app.validation import json_schema
from holoflow.core.errors import HoloflowError, OperatorDefinitionError, describe
from holoflow.core.operator import Operator
from holoflow.core.parameters import is_live
from holoflow.core.ports import InputPort, Ports, type_name
from holoflow.core.quantity import Duration, Frequency, Size
from holoflow.holoscan import classes, inspection
from holoflow.holoscan.signature import keywords_of

_HEADING = re.compile(r"^(?:\*\*==(.+)==\*\*|(\w[\w ]*)\n-{3,})$", re.MULTILINE)
_ENTRY = re.compile(r"^(\w+) : (.+)$", re.MULTILINE)


def holoscan_sheet(name: str, cls: type) -> Sheet:
    """Return the sheet of `cls`, a Holoscan operator, resource or condition.

    Ports are read from the docstring if an operator cannot be made without arguments.
    """
    text, sections = _sections(inspect.getdoc(cls) if cls.__doc__ else None)
    summary, _, description = text.partition("\n")
    told_inputs = _entries(sections.get("Named Inputs", ""))
    told_outputs = _entries(sections.get("Named Outputs", ""))
    inputs, outputs = dict.fromkeys(told_inputs, True), tuple(told_outputs)
    if classes.is_operator(cls):
        try:
            ports = inspection.inspect(cls, {}, ())
            inputs, outputs = dict(ports.inputs), ports.outputs
        except Exception as error:  # whatever a constructor or `setup` raises without arguments
            if not inputs and not outputs:
                description += (
                    f"\n\nIts ports are not known before it is made: {describe(error).rstrip('.')}."
                )
    return Sheet(
        name,
        whereabouts(cls),
        summary,
        description.strip(),
        bool(outputs) and not inputs,
        tuple(
            PortLine(port, told_inputs.get(port, ("anything", ""))[0], "" if needed else "optional")
            for port, needed in inputs.items()
        ),
        tuple(PortLine(port, told_outputs.get(port, ("anything", ""))[0]) for port in outputs),
        tuple(_holoscan_parameters(cls, _entries(sections.get("Parameters", "")))),
        ("cu12",),
        "",
    )


def _holoscan_parameters(cls: type, told: Mapping[str, tuple[str, str]]) -> list[ParameterLine]:
    lines = []
    for name, keyword in keywords_of(cls).items():
        said, doc = told.get(name, ("", ""))
        said = said.removesuffix(", optional") or re.sub(r"[\w.]+\.(\w+)", r"\1", keyword.text)
        lines.append(ParameterLine(name, said, keyword.required, None, doc))
    return lines


def _sections(doc: str | None) -> tuple[str, dict[str, str]]:
    """Return the text before the first heading of a docstring, and the text below each."""
    parts = _HEADING.split(doc or "")
    # Each heading has one of two forms.
    headings = [
        bold or underlined for bold, underlined in zip(parts[1::3], parts[2::3], strict=True)
    ]
    return parts[0].strip(), dict(zip(headings, parts[3::3], strict=True))


def _entries(section: str) -> dict[str, tuple[str, str]]:
    """Return type and description, in one line, of each `name : type` with lines below it."""
    parts = _ENTRY.split(inspect.cleandoc(section))
    texts = (" ".join(text.split()) for text in parts[3::3])
    return {
        name: (kind.strip(), text.replace("``", "`"))
        for name, kind, text in zip(parts[1::3], parts[2::3], texts, strict=True)
    }


_EXAMPLE = "Example:"


@dataclass(frozen=True)
class PortLine:
    """A port."""

    name: str
    type: str
    note: str = ""


@dataclass(frozen=True)
class ParameterLine:
    """A parameter."""

    name: str
    type: str
    """Its type in words, with unit and range: `a number from 0 to 1`."""
    required: bool
    default: Any
    """As written in an app file; None if it is required."""
    doc: str


@dataclass(frozen=True)
class Sheet:
    """An operator for its user; `str` gives it as text."""

    name: str
    cls: str
    """Where the class is: `package.module:Class`, or `Class in file.py:12`."""
    summary: str
    description: str
    """The docstring between its first line and its example."""
    source: bool
    inputs: tuple[PortLine, ...]
    outputs: tuple[PortLine, ...]
    parameters: tuple[ParameterLine, ...]
    extras: tuple[str, ...]
    """Extras of holoflow that the operator may need."""
    example: str
    """Its entry under `operators:` of an app; empty if the docstring has none."""
    package: str = ""
    """Name and version of the plugin that adds it, if one does."""

    def words(self) -> str:
        """Return all text that a search considers, case folded."""
        own = [f"{item.name} {item.type} {item.doc}" for item in self.parameters]
        return "\n".join([self.name, self.summary, self.description, *own]).casefold()

    def __str__(self) -> str:
        return "\n\n".join(block for block in self._blocks() if block)

    def _blocks(self) -> Iterator[str]:
        yield f"{self.name}: {self.summary}"
        yield self.description
        facts = [f"class: {self.cls}"]
        if self.package:
            facts.append(f"from: {self.package}")
        if self.extras:
            facts.append(f"needs: pip install 'holoflow[{','.join(self.extras)}]'")
        yield "\n".join(facts)
        yield _section("inputs", self.inputs, "a source" if self.source else "none")
        yield _section("outputs", self.outputs, "none")
        yield _parameters(self.parameters)
        if self.example:
            yield "example:\n" + textwrap.indent(self.example, "  ")


def sheet(name: str, cls: type, package: str = "") -> Sheet:
    """Return the sheet of operator class `cls`, which is called `name` and added by `package`.

    Raises:
        HoloflowError: The class is not a holoflow operator, or its declaration is invalid.
    """
    if not issubclass(cls, Operator):
        raise HoloflowError(
            f"{name} is not a holoflow operator",
            "only classes derived from holoflow.Operator declare ports and parameters",
        )
    try:
        ports = cls.ports()
        parameters = tuple(_parameter_lines(cls))
    except OperatorDefinitionError as error:
        wrong = error.wrong.removeprefix(f"{cls.__module__}.")
        raise HoloflowError(f"{place_of(cls)}{wrong}", error.right) from None
    doc = inspect.getdoc(cls) if cls.__doc__ else None
    before, _, example = (doc or "").partition(_EXAMPLE)
    summary, _, description = before.strip().partition("\n")
    return Sheet(
        name,
        whereabouts(cls),
        summary,
        description.strip(),
        ports.source,
        tuple(_inputs(ports)),
        tuple(PortLine(port.name, type_name(port.type)) for port in ports.outputs.values()),
        parameters,
        extras(cls),
        textwrap.dedent(example.strip("\n")).rstrip(),
        package,
    )


def whereabouts(cls: type) -> str:
    """Return where `cls` is: `package.module:Class`, or `Class in file.py:12`."""
    # the module of a user's file has a generated name
    if cls.__module__.startswith("_"):
        return f"{cls.__qualname__} in {place_of(cls).rstrip(': ')}"
    return f"{cls.__module__}:{cls.__qualname__}"


def _inputs(ports: Ports) -> Iterator[PortLine]:
    for port in ports.inputs.values():
        yield PortLine(port.name, type_name(port.type), _note(port))
    if ports.open_inputs is not None:
        yield PortLine("…", type_name(ports.open_inputs), "any number, named by the app")


def _note(port: InputPort) -> str:
    if port.latest:
        return "holds the newest value, does not trigger"
    several = "takes several flows, as a list" if port.element else ""
    return ", ".join(filter(None, (several, "" if port.required else "optional")))


def _parameter_lines(cls: type[Operator]) -> Iterator[ParameterLine]:
    model = cls.parameters()
    root = json_schema(model)
    for name, field in model.model_fields.items():
        schema = root.get("properties", {}).get(name, {})
        yield ParameterLine(
            name,
            _value_type(schema, root, _bounds(field)),
            field.is_required(),
            schema.get("default"),
            (field.description or "") + (" (live)" if is_live(field) else ""),
        )


def _bounds(field: FieldInfo) -> str:
    """Return the bounds of a quantity in words, in its base unit; JSON Schema has none."""
    words = {"gt": "above", "ge": "of at least", "lt": "below", "le": "of at most"}
    found = (
        f" {word} {value:g}"
        for item in field.metadata
        for key, word in words.items()
        if (value := getattr(item, key, None)) is not None
    )
    return " and".join(found)


def _value_type(schema: Mapping[str, Any], root: Mapping[str, Any], bounds: str) -> str:
    """Return the type of a parameter in words; quantities by what they measure and `bounds`."""
    if choices := schema.get("anyOf"):
        given = (choice for choice in choices if choice.get("type") != "null")
        return " or ".join(_value_type(choice, root, bounds) for choice in given)
    if kind := _quantities().get(schema.get("pattern", "")):
        return f"a {kind}{bounds}, such as {schema['examples'][0]}"
    return allowed(schema, root) or "anything"


@functools.cache
def _quantities() -> dict[str, str]:
    kinds = {"duration": Duration, "frequency": Frequency, "size in bytes": Size}
    return {TypeAdapter(kind).json_schema()["pattern"]: name for name, kind in kinds.items()}


def _section(title: str, ports: tuple[PortLine, ...], empty: str) -> str:
    if not ports:
        return f"{title}: {empty}"
    width = max(len(port.name) for port in ports)
    lines = (
        f"  {port.name:{width}}  {port.type}" + (f" ({port.note})" if port.note else "")
        for port in ports
    )
    return "\n".join([f"{title}:", *lines])


def _parameters(parameters: tuple[ParameterLine, ...]) -> str:
    if not parameters:
        return "parameters: none"
    width = max(len(item.name) for item in parameters)
    lines = ["parameters:"]
    for item in parameters:
        lines.append(f"  {item.name:{width}}  {item.type}; {_default(item)}")
        lines.append(f"  {'':{width}}    {item.doc}")
    return "\n".join(lines)


def _default(item: ParameterLine) -> str:
    if item.required:
        return "required"
    return "optional" if item.default is None else f"default {shown(item.default)}"
