"""A trial: an app is run with a setting, in a process of its own, and measured from its report."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from holoflow.app.graph import App
from holoflow.core.errors import HoloflowError
from holoflow.core.text import duration, listed, plural
from holoflow.report.measures import FEW, source_frames
from holoflow.report.run_report import RunReport, read_report
from holoflow.stats.histogram import Histogram
from holoflow.stats.snapshot import Sample
from holoflow.tune.settings import (
    Candidate,
    Keys,
    block,
    has_parameter,
    reachable,
    sources,
    waits_for_device,
)

WARM = 1 / 3
"""Share of a trial, from the first frame at a sink, that is not measured: models run for the first
time, and the number of frames under way is being found."""
SHORT = 1.0
"""Seconds below which a trial tells little."""
FEWEST = 50
"""Frames below which it does."""
PATIENCE = 10.0
"""Seconds that a trial that is given up has to end."""


class TrialError(HoloflowError):
    """A trial failed; the message is that of the run."""


@dataclass(frozen=True)
class Measurement:
    """What a trial has shown; None is not measured."""

    rate: float | None
    """Frames per second at the slowest sink."""
    p50: float | None
    """Of the times from source to sink on the slowest path, in seconds."""
    p99: float | None
    cpu: float | None
    """Seconds of CPU time for each frame of the sources."""
    seconds: float
    """How long the sources sent frames."""
    frames: int
    """How many were measured at the slowest sink."""
    busy: Mapping[str, float] = field(default_factory=dict)
    """Share of the time that each operator worked, by name."""


@dataclass(frozen=True)
class Trials:
    """How trials of an app are run."""

    app: App
    file: Path
    """The app's own."""
    settings: Mapping[str, str]
    """Values of `--set`, by name."""
    seconds: float | None
    """How long the sources send in each; None leaves it to `frames`."""
    frames: int | None = None
    """How many each of them sends at most."""

    def run(self, setting: Candidate, *, full_speed: bool) -> Measurement:
        """Run the app with `setting`; blocks until its process has ended.

        Args:
            setting: What is set otherwise than in the app.
            full_speed: Whether sources that keep a pace send as fast as they are let.

        Raises:
            TrialError: It failed.
        """
        with TemporaryDirectory(prefix="holoflow-tune-") as folder:
            file, output = Path(folder) / "app.yaml", Path(folder) / "run"
            text = document(self.app, self.file, setting, full_speed=full_speed)
            file.write_text(text, encoding="utf-8")
            said = _run(self._command(file, output))
            try:
                report = read_report(output)
            except HoloflowError:
                raise TrialError(said or "its run left no report") from None
            if report.outcome != "done":
                raise TrialError(report.failure or said or f"its run was {report.outcome}")
        return measurement(self.app, report)

    def _command(self, file: Path, output: Path) -> list[str]:
        ends = [] if self.seconds is None else ["--for", f"{self.seconds}s"]
        ends += [] if self.frames is None else ["--frames", str(self.frames)]
        values = [f"--set={name}={value}" for name, value in self.settings.items()]
        return [
            sys.executable, "-m", "holoflow", "run", str(file), "--engine", "holoscan", "--no-web",
            "--output", str(output), "--log-level", "error", *ends, *values,
        ]  # fmt: skip


def _run(command: list[str]) -> str:
    """Run `command` to its end and return what it has said on stderr."""
    # A session of its own: Ctrl-C is for the one who waits here.
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        text=True, errors="replace", start_new_session=True,
    ) as process:  # fmt: skip
        try:
            return process.communicate()[1].strip()
        except BaseException:
            process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
            raise


def document(app: App, file: Path, setting: Candidate, *, full_speed: bool) -> str:
    """Return an app file for a trial of `app`, which extends its `file`."""
    values: dict[Keys, Any] = {("extends",): str(file.absolute())}
    return block((values | _sources(app, full_speed=full_speed) | dict(setting.values)).items())


def _sources(app: App, *, full_speed: bool) -> dict[Keys, Any]:
    """Return parameters of sources by which they last as long as the trial, at the wanted pace."""
    values: dict[Keys, Any] = {}
    for node in filter(reachable, sources(app)):
        parameters: dict[str, Any] = {"loop": True} if has_parameter(node, "loop") else {}
        if has_parameter(node, "length") and "length" in node.parameters:
            parameters["length"] = None  # removes it
        if full_speed and has_parameter(node, "paced"):
            parameters["paced"] = False
        for name, value in parameters.items():
            values["operators", node.name, "with", name] = value
    return values


def live(app: App) -> bool:
    """Whether a source waits for a device, so that the app cannot go faster than that."""
    return any(map(waits_for_device, sources(app)))


def notices(app: App) -> list[str]:
    """Return what trials of `app` cannot show, a sentence each."""
    waits = [node.name for node in sources(app) if waits_for_device(node)]
    kept = [
        node.name for node in sources(app)
        if node.name not in waits and not (has_parameter(node, "paced") and reachable(node))
    ]  # fmt: skip
    inside = [name for name, node in app.operators.items() if not reachable(node)]
    said = []
    if waits:
        said.append(
            f"{listed(waits)}: a live source cannot be sped up, so latency and CPU time are "
            "compared, and not the rate"
        )
    if kept:
        said.append(
            f"{listed(kept)}: no parameter paced that could be set here, so it sends at its own "
            "pace; settings that are fast enough for that look alike"
        )
    if inside:
        said.append(f"{listed(inside)}: inside of a fragment template, whose parameters are kept")
    return said


def measurement(app: App, report: RunReport) -> Measurement:
    """Return what the run of `report` has shown, without its first part."""
    last = report.snapshot
    samples = warm(report.history)
    seconds = sum(sample.span for sample in samples)
    frames, arrived = source_frames(last), sink_frames(app, samples)
    times = slowest(samples)
    cpu = sum(fragment.machine.cpu for fragment in last.fragments)
    return Measurement(
        rate=arrived / seconds if seconds else None,
        p50=times.quantile(0.5) if times else None,
        p99=times.quantile(0.99) if times else None,
        cpu=cpu / frames if frames else None,
        seconds=last.seconds,
        frames=arrived,
        busy={stats.name: stats.busy / (last.seconds or 1.0) for stats in last.operators},
    )


def warm(history: Iterable[Sample]) -> list[Sample]:
    """Return the samples of a run without its first part, counted from the first frame at a sink.

    All are returned if it was too short for that.
    """
    samples = list(history)
    arrived = (s.seconds for s in samples if any(times.count for times in s.latency.values()))
    begin, end = next(arrived, 0.0), samples[-1].seconds if samples else 0.0
    begin += WARM * (end - begin)
    return [sample for sample in samples if sample.seconds - sample.span >= begin] or samples


def sink_frames(app: App, samples: Iterable[Sample]) -> int:
    """Return the frames at the slowest sink, of those that work regularly."""
    sending = {flow.source.operator for flow in app.flows}
    total = dict.fromkeys(app.operators, 0)
    for sample in samples:
        for name, frames in sample.frames.items():
            total[name] = total.get(name, 0) + frames
    sinks = [total[name] for name in app.operators if name not in sending]
    return min((frames for frames in sinks if frames >= FEW), default=max(sinks, default=0))


def slowest(samples: Iterable[Sample]) -> Histogram | None:
    """Return the end-to-end times of the path with the longest p99; None without any."""
    paths: dict[str, Histogram] = {}
    for sample in samples:
        for name, times in sample.latency.items():
            paths.setdefault(name, Histogram()).merge(times)
    timed = [times for times in paths.values() if times.count]
    return max(timed, key=lambda times: times.quantile(0.99), default=None)


def shortage(measured: Measurement) -> str:
    """Return a sentence if a trial was too short to tell much; else nothing."""
    if measured.seconds < SHORT:
        return (
            f"the sources end after {duration(measured.seconds)}: the shorter trials are, the less "
            "they tell; give a longer recording, with --set if the app has a variable for it"
        )
    if measured.frames < FEWEST:
        return (
            f"{plural(measured.frames, 'frame')} in a trial tell little; longer trials have more, "
            "such as --seconds 20s"
        )
    return ""
