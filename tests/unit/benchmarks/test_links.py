"""What the benchmark of links does itself: it must not lie, and must leave nothing behind."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"

MILLISECOND = 1_000_000


@pytest.fixture(autouse=True)
def _found(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))


@pytest.fixture
def job(tmp_path):
    from rivals.job import Job

    return Job("stand_in", "", 64, rate=100.0, warm=0.01, seconds=0.1, folder=str(tmp_path))


def frame(number, sent, state):
    from rivals.frames import Stamp, write

    array = np.zeros(64, np.uint8)
    write(array, Stamp(number, sent, state))
    return array


class TestFrames:
    def test_say_what_was_written(self):
        from rivals.frames import Stamp, read

        assert read(frame(300, 7, 1), 64) == Stamp(300, 7, 1)

    @pytest.mark.parametrize("place", [32, 63])
    def test_are_refused_where_they_are_not_whole(self, place):
        from rivals.frames import read

        array = frame(300, 7, 1)
        array[place] += 1
        with pytest.raises(ValueError, match="message 300 did not arrive whole"):
            read(array, 64)

    def test_are_refused_where_they_are_short(self):
        from rivals.frames import read

        with pytest.raises(ValueError, match="whole"):
            read(frame(1, 7, 1)[:63], 64)


class TestSource:
    def test_stamps_in_order_until_all_is_measured(self, job):
        from rivals.frames import Source, read
        from rivals.job import Control

        control, numbers = Control(job), []
        for array in Source(job).frames():
            numbers.append(read(array, 64).number)
            if len(numbers) == 20:
                control.end()
        assert numbers == list(range(1, 21))

    @pytest.mark.parametrize("uptime", [0, 10**6], ids=["just started", "up for days"])
    def test_keeps_the_pace_that_the_receiver_asks_for(self, job, monkeypatch, uptime):
        from rivals import frames
        from rivals.frames import Source
        from rivals.job import Control

        now = uptime * 1000 * MILLISECOND
        monkeypatch.setattr(frames, "time", SimpleNamespace(monotonic_ns=lambda: now))
        source, control = Source(job), Control(job)
        assert source.wait() == 0
        control.keep_pace(2000 * MILLISECOND)
        assert source.wait() == 0  # the first is due at once
        now += 500 * MILLISECOND
        assert source.wait() == 1.5
        now += 9000 * MILLISECOND
        assert source.wait() == 0  # what is late is not made up for
        control.end()
        assert source.wait() is None
        assert source.over


class TestMeter:
    def fed(self, job, *, step=MILLISECOND, lose=()):
        """A meter that has got a message each `step`, each 2 ms old."""
        from rivals.job import PACED, Control
        from rivals.meter import Meter

        control = Control(job)
        meter, now = Meter(job, control), 10**12
        for number in range(1, 5000):
            now += max(step, control.interval if control.state == PACED else 0)
            if number in lose:
                continue
            if not meter.saw(frame(number, now - 2 * MILLISECOND, control.state), now):
                return meter
        raise AssertionError("it never had enough")

    def test_counts_messages_and_takes_latencies(self, job):
        from rivals.meter import Measured

        meter = self.fed(job)
        found = meter.measured()
        assert found.messages == pytest.approx(1000)
        assert found.bytes == pytest.approx(64_000)
        assert found.lost == 0
        assert found.rate == pytest.approx(100)
        assert found.median == found.p99 == pytest.approx(0.002)
        assert Measured(**json.loads(job.result.read_text())) == found

    def test_asks_for_no_more_than_half_of_what_came(self, job):
        assert self.fed(job, step=20 * MILLISECOND).measured().rate == pytest.approx(25)

    def test_counts_what_was_lost(self, job):
        assert self.fed(job, lose={30, 31, 40}).measured().lost == 3

    def test_tells_the_sender_to_end(self, job):
        from rivals.job import OVER, Control

        self.fed(job)
        assert Control(job).state == OVER


class TestReport:
    def cells(self, **rates):
        from rivals.meter import Measured
        from rivals.report import HD

        return {
            name.replace("_", " "): {HD: [Measured(rate, rate * HD, 0, 200, 0.0002, 0.001)]}
            for name, rate in rates.items()
        }

    def test_says_what_was_wanted_and_found(self):
        from rivals.report import medians, wanted

        runs = self.cells(Holoscan_UCX=50) | {
            "app, shared memory, copy": self.cells(x=900)["x"],
            "app, shared memory, loan": self.cells(x=9_000)["x"],
        }
        rows = [one.row() for one in wanted(medians(runs))]
        assert rows[0] == ["app, shared memory, copy / Holoscan UCX, 1080p", "18.00", ">= 20", "no"]
        assert rows[1][1:] == ["180", ">= 20", "yes"]
        assert rows[2][1:] == ["9,000", "> 10,000", "no"]
        assert rows[3][1:] == ["0.20", "< 0.3", "yes"]

    def test_leaves_out_what_gave_no_result(self):
        from rivals.report import HD, markdown, medians

        cells = medians(self.cells(ezmsg=700) | {"dora, copy": {HD: []}})
        text = markdown(cells, [HD])
        assert "| ezmsg | 700 |" in text
        assert "| dora, copy | - |" in text
        assert "| wanted |" not in text

    def test_reads_what_was_written(self):
        from dataclasses import asdict

        from rivals.report import read

        def written(**rates):
            return json.loads(json.dumps(self.cells(**rates), default=asdict))

        assert read([written(ezmsg=700)]) == self.cells(ezmsg=700)
        first, again = written(ezmsg=700, dora=600), written(ezmsg=800)
        assert read([first, again]) == self.cells(ezmsg=800, dora=600)

    @pytest.mark.parametrize(
        ("size", "said"),
        [(64, "64 B"), (4096, "4 KiB"), (1 << 20, "1 MiB"), (6_220_800, "1080p"),
         (25_000_000, "25 MB")],
    )  # fmt: skip
    def test_says_sizes_as_people_do(self, size, said):
        from rivals.report import label

        assert label(size) == said


def test_every_contender_has_a_file_and_its_own_name():
    from rivals.contenders import CONTENDERS

    assert len({c.name for c in CONTENDERS}) == len(CONTENDERS)
    for contender in CONTENDERS:
        text = (BENCHMARKS / "rivals" / f"{contender.module}.py").read_text()
        assert all(f"def {role}(" in text for role in contender.roles)


STAND_IN = """
import json, subprocess, sys, time

SLEEP = "import time; time.sleep(600)"

def succeed(job):
    # a process of its own session, whose parent will be gone: the hardest to find
    orphan = subprocess.Popen([sys.executable, "-c", SLEEP], start_new_session=True)
    (job.path / "pid").write_text(str(orphan.pid))
    job.result.write_text(json.dumps({"variant": job.variant}))

def fail(job):
    sys.exit("the reason")

def hang(job):
    time.sleep(600)
"""

MEASURE = """
import sys
sys.path[:0] = [{benchmarks!r}]
from rivals.job import Job
from rivals.processes import MeasurementError, adopt, measure
adopt()
job = Job("stand_in", "v", 64, 1.0, 1.0, 1.0, {folder!r})
try:
    print(measure(job, {roles!r}, {deadline}))
except MeasurementError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="orphans are found as Linux tells them")
class TestProcesses:
    """In a process of its own, which adopts the orphans of all that it starts."""

    def measured(self, tmp_path, *roles, deadline=60.0):
        benchmarks = tmp_path / "benchmarks"
        rivals = benchmarks / "rivals"
        rivals.mkdir(parents=True)
        for file in (BENCHMARKS / "rivals").glob("*.py"):
            (rivals / file.name).symlink_to(file)
        (rivals / "job.py").unlink()  # says where the others are
        (rivals / "job.py").write_text((BENCHMARKS / "rivals" / "job.py").read_text())
        (rivals / "stand_in.py").write_text(STAND_IN)
        code = MEASURE.format(
            benchmarks=str(benchmarks), folder=str(tmp_path), roles=roles, deadline=deadline
        )
        environment = {**os.environ, "PYTHONPATH": ""}
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True,
            timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def test_give_their_result_and_leave_nothing(self, tmp_path):
        assert json.loads(self.measured(tmp_path, "succeed")) == {"variant": "v"}
        assert not Path("/proc", (tmp_path / "pid").read_text()).exists()

    def test_say_why_there_is_none(self, tmp_path):
        assert self.measured(tmp_path, "hang", "fail") == "exit status 1: fail: the reason"

    def test_do_not_last_for_ever(self, tmp_path):
        found = self.measured(tmp_path, "hang", deadline=0.5)
        assert found == "no result in time: nothing was said"
