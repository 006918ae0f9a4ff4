"""What `holoflow ops show` says of a class of Holoscan's own, as far as it can be known.

Its parameters are those of its constructor, the ports of an operator those that it has when it is
made; what they are for stands in its docstring, which Holoscan writes in sections of NumPy's form.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping

from holoflow.cli.sheet import ParameterLine, PortLine, Sheet, whereabouts
from holoflow.engine import native
from holoflow.errors import describe

_HEADING = re.compile(r"^(?:\*\*==(.+)==\*\*|(\w[\w ]*)\n-{3,})$", re.MULTILINE)
_ENTRY = re.compile(r"^(\w+) : (.+)$", re.MULTILINE)


def native_sheet(name: str, cls: type) -> Sheet:
    """Return the sheet of `cls`, an operator, resource or condition of Holoscan's.

    Ports are read from the docstring where an operator cannot be made without arguments.
    """
    text, sections = _sections(inspect.getdoc(cls) if cls.__doc__ else None)
    summary, _, description = text.partition("\n")
    told_inputs = _entries(sections.get("Named Inputs", ""))
    told_outputs = _entries(sections.get("Named Outputs", ""))
    inputs, outputs = dict.fromkeys(told_inputs, True), tuple(told_outputs)
    if native.is_operator(cls):
        try:
            inputs, outputs = native.inspect(cls, {}, ())
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
        tuple(_parameters(cls, _entries(sections.get("Parameters", "")))),
        ("cu12",),
        "",
    )


def _parameters(cls: type, told: Mapping[str, tuple[str, str]]) -> list[ParameterLine]:
    lines = []
    for name, (kind, required) in native.keywords_of(cls).items():
        said, doc = told.get(name, ("", ""))
        said = said.removesuffix(", optional") or re.sub(r"[\w.]+\.(\w+)", r"\1", kind)
        lines.append(ParameterLine(name, said, required, None, doc))
    return lines


def _sections(doc: str | None) -> tuple[str, dict[str, str]]:
    """Return what stands before the first heading of a docstring, and the text below each."""
    parts = _HEADING.split(doc or "")
    # Of each heading either of its two forms is there.
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
