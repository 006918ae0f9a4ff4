"""`holoflow top` on a terminal: a picture that is renewed in place."""

from __future__ import annotations

import os
import signal

from rich.console import Console
from rich.live import Live

from holoflow.cli import terminal
from holoflow.cli.keyboard import Keyboard, keyboard
from holoflow.cli.top_drawing import draw
from holoflow.cli.watch import Watch
from holoflow.flow.live.attach import Attachment

_HINT = "q leaves"
EARLY = 0.25
"""Seconds from one picture to the next as long as there are no numbers to show."""


def show(attachment: Attachment, every: float) -> None:
    """Show what `attachment` follows until the user leaves; the terminal is as it was then."""
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
            os.kill(os.getpid(), signal.SIGSTOP)  # goes on here when the shell brings it back
    finally:
        restore()


def _renew(live: Live, keys: Keyboard, watch: Watch, every: float) -> bool:
    """Renew the picture until a key is pressed; false where it is to stop for a while."""
    attachment, console = watch.attachment, live.console
    while True:
        view = watch.view()
        shown = _what(attachment)
        live.update(draw(view, console.width, console.height, _HINT), refresh=True)

        def take(shown: tuple[str, str] = shown) -> bool:
            attachment.wait(0)
            return _what(attachment) != shown

        # Numbers take two snapshots; until then nobody is to wait for long.
        pause = every if view.operators else min(every, EARLY)
        pressed = keys.wait(pause, attachment, take)
        if pressed == "stop":
            return False
        if "q" in pressed.lower():
            return True


def _what(attachment: Attachment) -> tuple[str, str]:
    """Return what is told at once, however seldom the picture is renewed: state and run."""
    state = attachment.state()
    return state.kind, state.run
