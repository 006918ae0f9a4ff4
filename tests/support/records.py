"""Records made by hand: what a traced run of a known kind would leave."""

from __future__ import annotations

from holoflow.stats.records import CallRecord, Records

MS = 1_000_000
EPOCH = 1_789_000_000_000_000_000
"""So that the monotonic clock's 1 s is a moment of the year 2026."""


class Recording:
    """Calls as they happen, with messages numbered."""

    def __init__(self) -> None:
        self.calls: list[CallRecord] = []
        self._number = 0

    def send(self, *flows: str) -> tuple[tuple[str, int], ...]:
        """Number a message that goes out on `flows`."""
        self._number += 1
        return tuple((flow, self._number) for flow in flows)

    def call(
        self, operator, start, end, *, arrived=None, frame=0, source="camera", worker="worker 1",
        takes=(), gives=(), fragment="main",
    ):  # fmt: skip
        """Keep a call; times in milliseconds."""
        times = [round(1000 * MS + time * MS) for time in (
            start if arrived is None else arrived, start, end)]  # fmt: skip
        self.calls.append(
            CallRecord(
                operator, fragment, worker, source, frame, *times, tuple(takes), tuple(gives)
            )
        )

    def records(self, app: str = "faces") -> Records:
        """Return them in the order of their ends."""
        return Records(app, "a1b2c3", EPOCH, tuple(sorted(self.calls, key=lambda call: call.end)))


def faces(frames: int = 5) -> Records:
    """Return a camera at 25 Hz whose frames wait up to 31 ms for a detector on another worker.

    Every third frame never gets to the overlay: the queue before it drops it.
    """
    made = Recording()
    free = 0.0
    for frame in range(frames):
        at = 40.0 * frame
        seen, drawn = made.send("camera.out -> detect.image", "camera.out -> overlay.image")
        made.call("camera", at, at + 2, arrived=at + 2, frame=frame, gives=(seen, drawn))
        start = max(at + 2.1, free)
        (found,) = made.send("detect.out -> overlay.boxes")
        free = start + 31
        made.call(
            "detect", start, free, arrived=at + 2, frame=frame, worker="worker 2",
            takes=[seen], gives=[found],
        )  # fmt: skip
        if frame % 3 == 2:
            continue
        (shown,) = made.send("overlay.out -> screen.image")
        made.call(
            "overlay", free + 0.5, free + 3.5, arrived=free, frame=frame, worker="worker 2",
            takes=[drawn, found], gives=[shown],
        )  # fmt: skip
        made.call(
            "screen", free + 3.5, free + 4.5, frame=frame, worker="worker 2", takes=[shown]
        )  # fmt: skip
        free += 4.5
    return made.records()
