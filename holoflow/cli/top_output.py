"""What `holoflow top` prints: a picture that is updated in place, or lines in a pipe."""

from __future__ import annotations

import json
import os
import signal
import time

from rich.console import Console
from rich.live import Live

from holoflow.cli import terminal
from holoflow.cli.tables import print_parts
from holoflow.cli.terminal import Keyboard, keyboard
from holoflow.cli.top_drawing import draw, state_words
from holoflow.cli.top_view import SILENT, View, as_plain, view
from holoflow.core import text
from holoflow.core.errors import HoloflowError
from holoflow.core.text import printable
from holoflow.live.attach import Attachment, running
from holoflow.live.state import LiveState, Recent, RunningApp
from holoflow.report.columns import PATHS, lost


class Watch:
    """Views of the last seconds of the app that an attachment follows."""

    def __init__(self, attachment: Attachment) -> None:
        """Watch the app that `attachment` follows."""
        self.attachment = attachment
        self._recent = Recent()

    def view(self) -> View:
        """Return what to show now; raises HoloflowError if the user has to choose an app."""
        self.attachment.wait(0)
        state = self.attachment.state()
        if state.kind == "several":
            raise _choice(state)
        snapshot = state.snapshot
        return view(state, None if snapshot is None else self._recent.add(snapshot))


def _choice(state: LiveState) -> HoloflowError:
    lines = [f"  {_line(running)}" for running in state.running]
    right = f"name one, such as holoflow top {state.running[0].app}:"
    return HoloflowError("several apps run", "\n".join([right, *lines]))


def _line(running: RunningApp) -> str:
    processes = ", ".join(f"{name} is process {pid}" for name, pid in running.fragments.items())
    return f"{running.app}: run {running.run}, {processes}"


PATIENCE = 10.0
"""Seconds that an app has to send its first statistics."""
_HEIGHT = 10_000
"""Height in lines of output that is not a terminal: more than any picture has."""


def show_lines(attachment: Attachment, every: float, *, as_json: bool) -> None:
    """Print a line about what `attachment` follows every `every` seconds if there is news."""
    watch = Watch(attachment)
    told: tuple[object, ...] = ()
    for _ in attachment.states(every):
        view = watch.view()
        there = tuple(fragment.live for fragment in view.fragments.values())
        news = view.state, view.run, view.seconds, view.problems, there, view.age > SILENT
        if view.state != "looking" and news != told:
            told = news
            print(to_json(view) if as_json else line(view), flush=True)


def show_once(attachment: Attachment, span: float, *, as_json: bool) -> None:
    """Print what an app does over `span` seconds.

    Raises HoloflowError if none runs that can be watched.
    """
    state = attachment.look()
    if state.kind == "none":
        raise _nothing(attachment.app, state.problems)
    watch = Watch(attachment)
    view = watch.view()
    first = view.seconds if view.operators else None
    deadline = time.monotonic() + max(PATIENCE, 2 * span)
    while view.state == "live" and time.monotonic() < deadline:
        if first is not None and view.seconds - first >= span:
            break
        attachment.wait(span)
        view = watch.view()
        first = view.seconds if first is None and view.operators else first
    if as_json:
        print(to_json(view))
    else:
        print_parts(lambda width: [draw(view, width, _HEIGHT)])


def _nothing(app: str | None, problems: tuple[str, ...]) -> HoloflowError:
    others = ", ".join(sorted({found.app for found in running()})) if app else ""
    wrong = f"{app} does not run" if app else "no app runs"
    if others:
        wrong += f" (these do: {others})"
    right = f"start it with: holoflow run {app or 'APP'}; without --once top waits for it"
    failed = (f"cannot be watched: {problem}" for problem in problems)
    return HoloflowError(wrong, "\n".join([right, *failed]))


def to_json(view: View) -> str:
    """Return all numbers of `view` as a JSON object in one line."""
    return json.dumps(as_plain(view), allow_nan=False)


def line(view: View) -> str:
    """Return the most important values of `view` as a line."""
    words = f"{view.app}: {state_words(view)[0]}" if view.app else state_words(view)[0]
    if view.operators:
        words += f", {text.duration(view.seconds)}, {text.brief(view.rate)} frames/s"
    for path in view.paths[:1]:
        column = PATHS["end_to_end.p99"]
        words += f", {column.heading} {column.cell(path)} ms ({path.stats.name})"
    whole = [row.whole for row in view.operators]
    if dropped := lost(*whole, *(flow for row in view.operators for flow in row.inputs)):
        words += f", dropped {text.causes(dropped)}"
    if view.bottleneck is not None:
        words += f"; {view.bottleneck.evidence}"
    for problem in view.problems:
        words += f"; cannot be watched: {problem}"
    return printable(words).replace("\n", " ")


_HINT = "q leaves"
EARLY = 0.25
"""Seconds between pictures while there are no numbers to show."""


def show_screen(attachment: Attachment, every: float) -> None:
    """Show the app that `attachment` follows until the user quits, then restore the terminal."""
    console = Console(markup=False, highlight=False, emoji=False)
    watch = Watch(attachment)
    attachment.look()  # so that the first picture shows what runs
    restore = terminal.remember()
    try:
        while True:
            with (
                keyboard() as keys,
                Live(console=console, screen=True, auto_refresh=False) as live,
            ):
                left = _renew(live, keys, watch, every)
            if left:
                return
            os.kill(os.getpid(), signal.SIGSTOP)  # continues here when the shell resumes it
    finally:
        restore()


def _renew(live: Live, keys: Keyboard, watch: Watch, every: float) -> bool:
    """Update the picture until a key is pressed; false if the process is to be suspended."""
    attachment, console = watch.attachment, live.console
    while True:
        view = watch.view()
        shown = _what(attachment)
        live.update(draw(view, console.width, console.height, _HINT), refresh=True)

        def take(shown: tuple[str, str] = shown) -> bool:
            attachment.wait(0)
            return _what(attachment) != shown

        # Numbers take two snapshots; until then the picture is updated often.
        pause = every if view.operators else min(every, EARLY)
        pressed = keys.wait(pause, attachment, take)
        if pressed == "stop":
            return False
        if "q" in pressed.lower():
            return True


def _what(attachment: Attachment) -> tuple[str, str]:
    """Return what is shown at once, however seldom the picture is updated: state and run."""
    state = attachment.state()
    return state.kind, state.run
