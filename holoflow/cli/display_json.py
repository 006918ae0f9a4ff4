"""The display for machines: one JSON object per line."""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

from holoflow.cli.errors import say
from holoflow.cli.summary import Summary
from holoflow.core import log
from holoflow.core.text import plain
from holoflow.report import numbers
from holoflow.report.diagnosis.decision import explain
from holoflow.stats.snapshot import Snapshot


class JsonDisplay:
    """Prints every event of a run as an object with the key `event`."""

    every = 0.5

    def __init__(self) -> None:
        """Print on the current stdout."""
        self._stream = sys.stdout
        self._announced = 0

    def note(self, sentence: str) -> None:
        """Print a sentence on stderr, for people."""
        say(sentence)

    def log(self, record: logging.LogRecord) -> None:
        """Print `{"event": "log", "time": …, "level": …, "from": …, "text": …}`.

        With several processes the object has the fragment's name too; printed text is from "".
        """
        whose = log.fragment(record)
        self._event(
            "log",
            **{
                "time": record.created,
                "level": record.levelname.lower(),
                "from": log.source(record),
                "text": log.message(record),
            },
            **({} if whose is None else {"fragment": whose}),
        )

    def snapshot(self, snapshot: Snapshot) -> None:
        """Print new announcements and `{"event": "snapshot", "seconds": …, "operators": …}`."""
        self._announce(snapshot)
        self._event(
            "snapshot",
            seconds=snapshot.seconds,
            operators=numbers.operators(snapshot),
            flows=numbers.flows(snapshot),
            paths=numbers.latencies(snapshot),
        )

    def stop(self) -> None:
        """Do nothing: every line is complete in itself."""

    def end(self, summary: Summary) -> None:
        """Print `{"event": "end", …}`, then the whole result as `{"event": "summary", …}`."""
        result = summary.result
        failure = plain(result.failure)
        self._event("end", outcome=result.outcome, seconds=result.last.seconds)
        self._event(
            "summary",
            app=summary.app,
            outcome=result.outcome,
            engine=result.engine,
            seconds=result.last.seconds,
            failure=failure,
            explanation=numbers.explained(explain(result.last)),
            **numbers.numbers(result.last),
            restarts={stats.name: stats.restarts for stats in result.last.fragments},
            refused={stats.name: stats.refused for stats in result.last.fragments},
            output=str(summary.output),
            written=plain(summary.written),
            report=str(summary.report),
            traces=[str(trace) for trace in summary.traces],
        )

    def _announce(self, snapshot: Snapshot) -> None:
        for kind, words in snapshot.announcements[self._announced :]:
            self._event("announcement", kind=kind, text=words)
        self._announced = len(snapshot.announcements)

    def _event(self, event: str, **values: Any) -> None:
        self._stream.write(json.dumps({"event": event, **values}, allow_nan=False) + "\n")


def left_out(lines: int) -> str:
    """Return the event that replaces `lines` events which were not read fast enough."""
    return json.dumps({"event": "left_out", "lines": lines})
