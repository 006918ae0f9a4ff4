"""Entry point of an app's container: `python3 -m holoflow.cli.container [COMMAND] [ARGUMENTS]`.

Without a command it runs the app. All commands of `holoflow` can be given, without their APP.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from holoflow.deploy.contents import Contents

MANIFEST = "/etc/holoflow/app.json"
APP = "/opt/holoflow/app"
OUTPUT = "/output"
KEYS = "/run/secrets/holoflow-keys"
DESCRIBE = "describe"
"""The command that prints the manifest, which only images have."""


def main() -> None:
    """Execute the command given as arguments, and end the process."""
    # The first process of a container receives only signals that it handles.
    signal.signal(signal.SIGTERM, _end)
    from holoflow.cli.errors import ExitStatus, say
    from holoflow.core.errors import HoloflowError

    try:
        arguments = _prepare(sys.argv[1:])
    except HoloflowError as error:
        say(str(error))
        sys.exit(ExitStatus.APP_WRONG)
    if arguments is not None:
        from holoflow.cli import main as hand_over

        sys.argv = ["holoflow", *arguments]
        hand_over()


def _end(_number: int, _frame: object) -> None:
    """End at once: a run, which would handle the signal itself, has not begun."""
    os._exit(128 + signal.SIGTERM)


def _prepare(given: Sequence[str]) -> list[str] | None:
    """Return the arguments of `holoflow` for those `given`; None if nothing is left to do."""
    from io import TextIOWrapper
    from pathlib import Path

    from holoflow.core.errors import HoloflowError
    from holoflow.deploy.contents import read_contents

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(line_buffering=True)
    contents = read_contents(Path(os.environ.get("HOLOFLOW_MANIFEST") or MANIFEST))
    if given[:1] == [DESCRIBE]:
        if len(given) > 1:
            raise HoloflowError(f"{DESCRIBE} takes no arguments")
        sys.stdout.write(contents.text)
        return None
    folder = Path(os.environ.get("HOLOFLOW_APP") or APP)
    output = os.environ.get("HOLOFLOW_OUTPUT") or OUTPUT
    arguments = completed(given, contents, folder, output)
    if arguments[0] == "check" and "--help" not in given:
        _check_libraries(contents, folder / contents.file, as_json="--json" in given)
    if os.path.exists(KEYS):
        os.environ.setdefault("HOLOFLOW_KEYS_FILE", KEYS)
    return arguments


def completed(given: Sequence[str], contents: Contents, folder: Path, output: str) -> list[str]:
    """Return the arguments of `holoflow` for those `given` to an image.

    Args:
        given: Arguments of the container.
        contents: What the image holds.
        folder: Folder of the app.
        output: Folder for what a run writes.

    Raises:
        HoloflowError: The command is unknown.
    """
    import typer

    from holoflow.cli.program import program
    from holoflow.core.errors import HoloflowError

    rest = list(given)
    if not rest or rest[0].startswith("-"):
        rest.insert(0, "run")
    command: Any = typer.main.get_command(program)
    if rest[0] not in command.commands:
        right = _meant(rest[0], [*command.commands, DESCRIBE], contents)
        raise HoloflowError(f"unknown command {rest[0][:100]!r}", right)
    words: list[str] = []
    while rest and rest[0] in getattr(command, "commands", ()):
        words.append(rest.pop(0))
        command = command.commands[words[-1]]
    for parameter in command.params:
        if parameter.name == "app" and parameter.param_type_name == "argument":
            # If it can be left out, it is the name of a running app.
            words.append(str(folder / contents.file) if parameter.required else contents.name)
        if "--set" in parameter.opts:
            rest = [f"--set={key}={value}" for key, value in contents.settings.items()] + rest
    if words[0] == "run":
        rest = [f"--output={output}", *rest]
    return words + rest


def _meant(word: str, known: Sequence[str], contents: Contents) -> str:
    from holoflow.core.text import suggestion

    if word in contents.fragments:
        return f"run a fragment with --fragment {word}"
    return suggestion(word, known, f"there are {', '.join(known)}")


def _check_libraries(contents: Contents, app: Path, *, as_json: bool) -> None:
    """Report libraries that operators need but that are not installed, and end if there are any."""
    from holoflow.cli.check import mistakes_as_json
    from holoflow.cli.errors import ExitStatus
    from holoflow.core.errors import AppError
    from holoflow.deploy.undeclared import undeclared

    mistakes = undeclared(app, contents.settings, contents.types)
    if mistakes:
        error = AppError(mistakes)
        if not as_json:
            raise error
        sys.stdout.write(f"{mistakes_as_json(error)}\n")
        sys.exit(ExitStatus.APP_WRONG)


if __name__ == "__main__":
    main()
