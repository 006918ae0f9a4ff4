"""Asking a running app to change its live parameters."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from holoflow.core.errors import HoloflowError
from holoflow.core.text import choices, suggestion
from holoflow.live import sockets
from holoflow.live.attach import ANSWER, Attachment
from holoflow.live.protocol import ChangeAnswer, ChangeRequest, read_answer
from holoflow.live.state import LiveState
from holoflow.plan.plan import Plan
from holoflow.stats.snapshot import to_json

STARTING = 10.0
"""Seconds that fragments have to start, or to come back."""

AGAIN = 0.1
"""Seconds between two looks at fragments that start."""


def change(app: str | None, requests: Sequence[ChangeRequest]) -> tuple[str, list[ChangeAnswer]]:
    """Have live parameters of the newest run of `app` changed; without a name, of the only app.

    Returns:
        The app's name, and the answer to each request.

    Raises:
        HoloflowError: Nothing runs, several apps run and none is named, or one does not answer.
    """
    until = time.monotonic() + STARTING
    while True:
        # What a launcher says of its fragments it says once, to each who comes.
        with Attachment(app) as attachment:
            state, waits = _running(attachment)
            if waits and time.monotonic() < until:
                time.sleep(AGAIN)
                continue
            answers = []
            for request in requests:
                at = _address(attachment, state, waits, request.operator)
                answers.append(at if isinstance(at, ChangeAnswer) else _ask(at, request))
            return state.app, answers


def change_in(plan: Plan, run: str, operator: str, parameter: str, value: Any) -> None:
    """Have a live parameter of an operator of the run `run` changed, whose process is known.

    Raises:
        HoloflowError: It cannot be changed, or its process does not answer.
    """
    process = next((p for p in plan.processes if operator in p.placement.operators), None)
    if process is None:
        raise HoloflowError(f"{plan.app.name} has no operator {operator!r}")
    request = ChangeRequest(operator, parameter, value)
    answer = ChangeAnswer(f"fragment {process.fragment!r} does not run on this host")
    for address in sockets.of_fragment(plan.app.name, run, process.fragment):
        answer = _ask(address, request)
        if not answer.wrong:
            return
    raise HoloflowError(answer.wrong, answer.right)


def _running(attachment: Attachment) -> tuple[LiveState, list[str]]:
    """Return the state of the app, and the fragments of which not yet all is known."""
    hellos, _ = attachment.ask()
    until = time.monotonic() + ANSWER
    state = attachment.state()
    while (silent := _silent(state)) and time.monotonic() < until:
        attachment.wait(until - time.monotonic())
        state = attachment.state()
    if state.kind == "several":
        names = sorted({run.app for run in state.running})
        raise HoloflowError("several apps run", f"name one of {choices(names)}")
    if state.kind != "live":
        of = f" of {attachment.app}" if attachment.app else ""
        raise HoloflowError(f"no run{of} is there", "start it with `holoflow run`")
    phases = {
        name: phase
        for hello in hellos
        if hello.run == state.run
        for name, phase in (hello.phases or {}).items()
    }
    late = {name for name, phase in phases.items() if phase in ("starting", "again")}
    return state, sorted(late | silent)


def _silent(state: LiveState) -> set[str]:
    """Return the fragments whose operators are not known yet."""
    known = state.snapshot.fragments if state.snapshot is not None else ()
    live = {name for name, fragment in state.fragments.items() if fragment.live}
    return live - {stats.name for stats in known}


def _address(
    attachment: Attachment, state: LiveState, waits: Sequence[str], operator: str
) -> sockets.SocketAddress | ChangeAnswer:
    """Return where the process of `operator` listens, or why there is none."""
    operators = state.snapshot.operators if state.snapshot is not None else ()
    fragments = {stats.name: stats.fragment for stats in operators}
    if operator not in fragments and waits:
        return ChangeAnswer(f"no operator {operator!r} runs yet", f"{choices(waits)} starts")
    if operator not in fragments:
        known = suggestion(operator, fragments, f"it has {choices(fragments)}")
        return ChangeAnswer(f"{state.app} has no operator {operator!r}", known)
    inside = fragments[operator]
    for name, fragment in state.fragments.items():
        if fragment.live and inside in name.split("+"):
            found = attachment.address(fragment.pid)
            if found is not None:
                return found
    return ChangeAnswer(f"the process of {operator!r} does not run on this host")


def _ask(address: sockets.SocketAddress, request: ChangeRequest) -> ChangeAnswer:
    line = sockets.connect(address)
    if line is None:
        return ChangeAnswer("its process accepts no connection", "try again")
    with line:
        line.settimeout(ANSWER)
        try:
            line.sendall(to_json(asdict(request)) + b"\n")
            answer = _answer(line)
        except OSError:
            answer = None
    return answer or ChangeAnswer(
        "its process does not answer; whether it has changed is not known"
    )


def _answer(line: socket.socket) -> ChangeAnswer | None:
    """Return the answer among what a process sends; None if it closes the connection before."""
    with line.makefile("rb") as stream:
        next(stream, b"")  # its hello
        for received in stream:
            if (answer := read_answer(received)) is not None:
                return answer
    return None
