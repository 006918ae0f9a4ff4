"""Tables of the arguments and options of a command, from the command line itself."""

from __future__ import annotations

from functools import cache
from typing import Any

from tables import code
from tables import table as in_markdown
from typer.main import get_command

from holoflow.cli.program import program


def table(command: str) -> str:
    """Return what `command` does, and its options; raises KeyError where there is none."""
    found = _program()
    for word in command.split():
        found = found.commands[word]
    rows = [[_name(one), _default(one), one.help or ""] for one in found.params if not one.hidden]
    parts = [found.help or ""]
    if rows:
        parts.append(in_markdown(["argument or option", "default", "meaning"], rows))
    return "\n\n".join(" ".join(part.split()) if part is parts[0] else part for part in parts)


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
    if getattr(parameter, "is_flag", False):
        return ", ".join(map(code, names))
    names[0] += f" {parameter.metavar or parameter.name.upper()}"
    return ", ".join(map(code, names))


def _default(parameter: Any) -> str:
    if parameter.required:
        return "required"
    if getattr(parameter, "is_flag", False) or parameter.default in (None, (), []):
        return ""
    return code(str(parameter.default)) if isinstance(parameter.default, (str, int)) else ""
