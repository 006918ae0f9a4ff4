"""What an attachment to a running app gives to look at."""

from __future__ import annotations

from holoflow.cli.top_view import View, view
from holoflow.errors import HoloflowError
from holoflow.flow.live.attach import Attachment
from holoflow.flow.live.recent import Recent
from holoflow.flow.live.state import RunningApp, State


class Watch:
    """Looks at the last seconds of whatever an attachment follows."""

    def __init__(self, attachment: Attachment) -> None:
        """Nothing has been seen yet."""
        self.attachment = attachment
        self._recent = Recent()

    def view(self) -> View:
        """Return what is to be shown now; raises HoloflowError where the user has to choose."""
        self.attachment.wait(0)
        state = self.attachment.state()
        if state.kind == "several":
            raise HoloflowError(_choice(state))
        snapshot = state.snapshot
        return view(state, None if snapshot is None else self._recent.add(snapshot))


def _choice(state: State) -> str:
    lines = [f"  {_line(running)}" for running in state.running]
    first = f"several apps run; name one, such as holoflow top {state.running[0].app}:"
    return "\n".join([first, *lines])


def _line(running: RunningApp) -> str:
    processes = ", ".join(f"{name} is process {pid}" for name, pid in running.fragments.items())
    return f"{running.app}: run {running.run}, {processes}"
