"""`holoflow new`: make an operator, an app, a fragment template or a plugin to start from."""

from __future__ import annotations

import importlib.util
import keyword
import os
import re
import shutil
import sys
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Annotated

import typer

from holoflow.core.errors import HoloflowError
from holoflow.core.text import printable
from holoflow.core.version import __version__

commands = typer.Typer(
    no_args_is_help=True,
    help="Make a folder with code, a README and a passing test to start from.",
)

_Name = Annotated[str, typer.Argument(help="Name, such as find_edges; a folder is made of it.")]


@commands.command()
def operator(name: _Name) -> None:
    """Make an operator of your own."""
    _make("operator", name)


@commands.command()
def app(name: _Name) -> None:
    """Make an app with an operator of its own."""
    _make("app", name)


@commands.command()
def fragment(name: _Name) -> None:
    """Make a fragment template, and an app that uses it."""
    _make("fragment", name)


@commands.command()
def plugin(name: _Name) -> None:
    """Make a package that adds an operator, a payload type, a fragment template and an app."""
    _make("plugin", name, "pip install -e '.[test]'")


def _make(kind: str, name: str, first: str = "") -> None:
    _check(name)
    folder = Path(name)
    values = {
        "name": name,
        "dashed": name.replace("_", "-").rstrip("-"),
        "class_name": _class_name(name),
        "version": __version__,
    }
    made = {
        file.replace("NAME", name): Template(text).substitute(values)
        for file, text in _templates(kind).items()
    }
    _write(folder, made)
    typer.echo(printable(f"made {folder}: {', '.join(sorted(made))}"))
    steps = filter(None, (f"cd {folder}", first, "python -m pytest"))
    typer.echo(printable(f"its test: {' && '.join(steps)}"))


def _check(name: str) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name, re.ASCII) or len(name) > 50:
        raise HoloflowError(
            f"{name[:80]!r} cannot be a name",
            "write lower-case letters, digits and _, beginning with a letter, such as find_edges",
        )
    if keyword.iskeyword(name) or keyword.issoftkeyword(name):
        raise HoloflowError(
            f"{name!r} cannot be a name: it is a Python keyword", f"write my_{name}"
        )
    # A file of that name would hide the module from programs run in its folder.
    module = importlib.util.find_spec(name)
    if name in sys.stdlib_module_names or (module is not None and module.origin is not None):
        raise HoloflowError(
            f"{name!r} cannot be a name: a Python module has that name", f"write my_{name}"
        )


def _class_name(name: str) -> str:
    return "".join(part.capitalize() for part in name.removesuffix("_op").split("_"))


def _templates(kind: str) -> dict[str, str]:
    """Return the texts of the files to make, by path; `NAME` in them is the new name."""
    folder = Path(str(files("holoflow.cli"))) / "templates" / kind
    return {
        path.relative_to(folder).as_posix().removesuffix(".tmpl"): path.read_text(encoding="utf-8")
        for path in folder.rglob("*.tmpl")
    }


def _write(folder: Path, made: dict[str, str]) -> None:
    """Write the files `made` into the new `folder`: all of them or, if that fails, none."""
    if os.path.lexists(folder):
        raise HoloflowError(
            f"{folder} already exists", "nothing is overwritten, choose another name"
        )
    try:
        folder.mkdir()
    except OSError as error:
        raise HoloflowError(f"cannot make the folder {folder}: {error.strerror}") from None
    try:
        for file, text in made.items():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_text(text, encoding="utf-8")
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise HoloflowError(f"cannot write into {folder}: {error.strerror}") from None
