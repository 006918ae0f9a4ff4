"""How far a transfer is: a bar on a terminal, a line in a pipe, or nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from holoflow.assets.errors import without_password


class Transfer:
    """Shows how far one transfer is."""

    def __init__(self, bar: Progress | None = None, name: str = "") -> None:
        """Show on `bar` under `name`, or nowhere."""
        self._bar = bar
        self._task = bar.add_task(name, total=None) if bar else None

    def show(self, done: int, total: int) -> None:
        """Show that `done` of `total` bytes have come; 0 where the total is not known."""
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, total=total or None, completed=done)


@contextmanager
def transfer(name: str, origin: str, *, shown: bool) -> Iterator[Transfer]:
    """Show on the error stream that `name` is being fetched from `origin`, if `shown`."""
    console = Console(stderr=True)
    if not shown:
        yield Transfer()
    elif not console.is_terminal:
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
