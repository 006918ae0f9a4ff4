"""Tables of the arguments and options of a command, from the command line itself."""

from __future__ import annotations

from enum import Enum
from functools import cache
from typing import Any, get_args

from tables import code
from tables import table as in_markdown
from typer.main import get_command

from holoflow.cli.program import program


def table(command: str) -> str:
    """Return what `command` does, and its options; raises KeyError where there is none."""
    found = _program()
    for word in command.split():
        found = found.commands[word]
    does = found.help or ""
    if " " in command:
        does = f"### `holoflow {command}`\n\n{does}"
    rows = [[_name(one), _default(one), one.help or ""] for one in found.params if not one.hidden]
    if not rows:
        return does + "\n"
    return does + "\n\n" + in_markdown(["argument or option", "default", "meaning"], rows)


def overview() -> str:
    """Return a table of all commands with what each does."""
    rows = []
    for name in names():
        found = _program()
        for word in name.split():
            found = found.commands[word]
        summary = (found.help or "").partition("\n\n")[0]
        rows.append([code(name), summary])
    return in_markdown(["command", "does"], rows)


def names() -> list[str]:
    """Return all commands, those of groups as two words."""
    found = []
    for name, command in _program().commands.items():
        inner = getattr(command, "commands", None)
        found += [f"{name} {one}" for one in inner] if inner else [name]
    return found


@cache
def _program() -> Any:
    return get_command(program)


def _name(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        name = parameter.metavar or parameter.name.upper()
        return code(name if parameter.required else f"[{name}]")
    names = [*parameter.opts, *parameter.secondary_opts]
    if not getattr(parameter, "is_flag", False):
        names[0] += f" {parameter.metavar or '|'.join(_choices(parameter)) or 'N'}"
    return ", ".join(map(code, names))


def _choices(parameter: Any) -> list[str]:
    """Return the values that an option takes, where these are few words."""
    annotation = getattr(getattr(parameter, "type_descriptor", None), "annotation", None)
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return [str(one.value) for one in annotation]
    given = getattr(getattr(parameter, "type", None), "choices", None) or get_args(annotation)
    choices = [str(getattr(one, "value", one)) for one in given if not isinstance(one, type)]
    return choices or ([parameter.name.upper()] if annotation is str else [])


def _default(parameter: Any) -> str:
    if parameter.required:
        return "required"
    value = getattr(parameter.default, "value", parameter.default)
    if getattr(parameter, "is_flag", False) or not isinstance(value, str | int):
        return ""
    return code(str(value))
