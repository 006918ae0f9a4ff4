"""`holoflow top` in a pipe or a file: lines for people or for machines."""

from __future__ import annotations

import json
import time
from collections import Counter

from holoflow.cli import text
from holoflow.cli.printing import print_parts
from holoflow.cli.top_drawing import SILENT, draw, state_words
from holoflow.cli.top_view import View
from holoflow.cli.watch import Watch
from holoflow.errors import HoloflowError
from holoflow.flow.live.attach import Attachment, running
from holoflow.plain_data import plain
from holoflow.printable import printable

PATIENCE = 10.0
"""Seconds that an app gets to send its first books."""
_HEIGHT = 10_000
"""Lines: more than any picture has, so that nothing is left out."""


def show(attachment: Attachment, every: float, *, as_json: bool) -> None:
    """Print a line for what `attachment` follows every so many seconds where there is news."""
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

    Raises HoloflowError where none runs that can be watched.
    """
    state = attachment.look()
    if state.kind == "none":
        raise HoloflowError(_nothing(attachment.app, state.problems))
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


def _nothing(app: str | None, problems: tuple[str, ...]) -> str:
    others = ", ".join(sorted({found.app for found in running()})) if app else ""
    said = f"{app} does not run" if app else "no app runs"
    if others:
        said += f" (these do: {others})"
    said += f"; start it with: holoflow run {app or 'APP'}; without --once top waits for it"
    return "\n".join([said, *(f"cannot be watched: {problem}" for problem in problems)])


def to_json(view: View) -> str:
    """Return all numbers of `view` as a JSON object in one line."""
    return json.dumps(plain(view), allow_nan=False)


def line(view: View) -> str:
    """Return the most important of `view` as a line."""
    words = f"{view.app}: {state_words(view)[0]}" if view.app else state_words(view)[0]
    if view.operators:
        words += f", {text.seconds(view.seconds)}, {text.rate(view.rate)} frames/s"
    for path in view.paths[:1]:
        words += f", p99 {text.measured(path.p99)} ms ({path.name})"
    dropped = Counter[str]()
    for operator in view.operators:
        dropped.update(operator.dropped)
    if dropped:
        words += f", dropped {text.causes(dropped)}"
    if view.bottleneck is not None:
        words += f"; {view.bottleneck.evidence}"
    for problem in view.problems:
        words += f"; cannot be watched: {problem}"
    return printable(words).replace("\n", " ")
