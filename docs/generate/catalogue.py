"""A page for each category of the operator catalogue, with an example, and pictures."""

from __future__ import annotations

import json
from itertools import groupby
from typing import Any

import pictures
from tables import code, table
from typer.testing import CliRunner

from holoflow.cli.program import program

ABOUT = {
    "capture": "Sources: cameras, files and streams.",
    "flow": "Operators that deal out and gather messages of any type.",
    "inference": "Models.",
    "io": "Sinks that write files.",
    "postprocess": "From what a model gives to boxes, masks and tracks.",
    "preprocess": "From an image to what a model, or a viewer, needs.",
    "visualize": "Pictures, pages and windows to look at.",
}


def pages(folder: str) -> dict[str, str | bytes]:
    """Return an index, a page for each category, and the pictures, by their paths in docs/."""
    listed = [one["name"] for one in _asked("ops", "list", "--json")]
    sheets = [_asked("ops", "show", name, "--json") for name in listed]
    made: dict[str, str | bytes] = {}
    index = [
        "# Operators",
        "The catalogue, as `holoflow ops` shows it too: `holoflow ops list`, "
        "`holoflow ops search WORD`, `holoflow ops show NAME`. "
        "[Your own](../../how-to/write-an-operator.md) are used in the same way.",
    ]
    drawn = pictures.drawn({sheet["name"]: sheet["cls"] for sheet in sheets})
    for category, members in groupby(sheets, key=lambda sheet: sheet["name"].partition(".")[0]):
        found = list(members)
        rows = [[f"[`{s['name']}`]({category}.md#{_anchor(s)})", s["summary"]] for s in found]
        index += [f"## {category}", ABOUT.get(category, ""), table(["operator", "does"], rows)]
        body = [_section(sheet, drawn=sheet["name"] in drawn) for sheet in found]
        head = [f"# {category}", ABOUT.get(category, "")]
        if any(sheet["name"] in drawn for sheet in found):
            head.append(pictures.ABOUT)
        made[f"{folder}{category}.md"] = "\n\n".join([*head, *body])
    made = {f"{folder}index.md": "\n\n".join(index), **made}
    return {**made, **{f"{folder}{name}.png": picture for name, picture in drawn.items()}}


def _asked(*words: str) -> Any:
    """Return what a command prints as JSON."""
    result = CliRunner().invoke(program, list(words), catch_exceptions=False)
    if result.exit_code:
        raise SystemExit(f"holoflow {' '.join(words)} failed:\n{result.output}")
    return json.loads(result.output)


def _anchor(sheet: dict[str, Any]) -> str:
    return str(sheet["name"]).replace(".", "-")


def _section(sheet: dict[str, Any], *, drawn: bool) -> str:
    name = sheet["name"]
    parts = [f"## {name} {{#{_anchor(sheet)}}}", sheet["summary"], sheet["description"]]
    if drawn:
        parts.append(f"![What {name} makes]({name}.png)")
    if sheet["example"]:
        parts.append(f"```yaml\noperators:\n{_indented(sheet['example'])}\n```")
    ports = [
        [kind, code(port["name"]), f"{code(port['type'])} {port['note']}"]
        for kind, given in (("input", sheet["inputs"]), ("output", sheet["outputs"]))
        for port in given
    ]
    if ports:
        parts.append(table(["port", "name", "type"], ports))
    if sheet["parameters"]:
        rows = [
            [code(one["name"]), one["type"], _default(one), one["doc"]]
            for one in sheet["parameters"]
        ]
        parts.append(table(["parameter", "type", "default", "meaning"], rows))
    needs = ", ".join(f"`pip install 'holoflow[{extra}]'`" for extra in sheet["extras"])
    parts.append(f"Class `{sheet['cls']}`." + (f" Needs {needs}." if needs else ""))
    return "\n\n".join(part for part in parts if part)


def _default(parameter: dict[str, Any]) -> str:
    if parameter["required"]:
        return "required"
    value = parameter["default"]
    if value is None:
        return ""
    return code(value if isinstance(value, str) and value else json.dumps(value))


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" if line else "" for line in text.splitlines())
