"""Operators of Holoscan's in a process of their own."""

from __future__ import annotations

import pytest
from support.holohub_log import parse
from support.launched import Launched
from support.perfetto_trace import Trace

from holoflow.report.export import perfetto
from holoflow.report.export.table import read_records, write_log

pytestmark = pytest.mark.holoscan

OPERATORS = """
import os
from collections.abc import Iterator

import numpy as np
from holoscan.core import Operator as HoloscanOperator

from holoflow import Header, Operator, Stamped, param
from holoflow.core.payload import Image


class ImagesOp(Operator):
    n: int = param(60, doc="images")

    def frames(self) -> Iterator[Stamped[Image]]:
        for index in range(self.n):
            yield Stamped(Image(np.full((40, 50, 3), index, np.uint8)), timestamp=1000 + index)


class RelayOp(HoloscanOperator):
    def setup(self, spec):
        spec.input("in")
        spec.output("out")

    def compute(self, op_input, op_output, _context):
        op_output.emit(op_input.receive("in"), "out")


class LateOp(RelayOp):
    def start(self):
        if not os.path.exists("started"):
            open("started", "w").close()
            raise ValueError("no model")


class LookOp(Operator):
    def start(self) -> None:
        self.file = (self.context.output / "looked.txt").open("w")

    def process(self, x: Image, header: Header) -> None:
        assert x.data.shape == (40, 50, 3)
        assert header.timestamp == 1000 + header.sequence
        print(int(x.data.flat[0]), file=self.file)

    def stop(self) -> None:
        self.file.close()
"""

APP = """
app: relayed
defaults: {{link: {link}}}
operators:
  images: {{type: ./relays.py:ImagesOp}}
  first: {{type: ./relays.py:RelayOp, inputs: {{in: images}}}}
  second: {{type: ./relays.py:RelayOp, inputs: {{in: first}}}}
  look: {{type: ./relays.py:LookOp, inputs: {{x: second}}}}
fragments:
  a: {{operators: [images]}}
  b: {{operators: [first]}}
  c: {{operators: [second]}}
  d: {{operators: [look]}}
"""


@pytest.mark.parametrize("link", ["shared_memory", "zeromq"])
def test_they_take_from_other_processes_and_send_to_them(tmp_path, link):
    (tmp_path / "relays.py").write_text(OPERATORS)
    with Launched(tmp_path, APP.format(link=link), "--lossless", "--trace", "frames=100") as run:
        assert run.end() == 0, run
        assert run.kept("looked") == list(range(60))
        flows = run.flows()
        assert {(b["sent"], b["delivered"]) for b in flows.values()} == {(60, 60)}
        assert len(flows) == 3
        assert run.left() == []
        records = read_records(run.output / "records.csv")
        assert write_log(records, tmp_path / "log") == 60
        (times,) = parse((tmp_path / "log").read_text())[0].values()
        assert len(times) > 50  # of like lines within 20 µs the scripts count the first alone
        perfetto.write_trace(records, tmp_path / "trace")
        between = [("images", "first"), ("first", "second"), ("second", "look")]
        assert Trace((tmp_path / "trace").read_bytes()).arrows() == dict.fromkeys(between, 60)


@pytest.mark.parametrize("link", ["shared_memory", "zeromq"])
def test_one_that_cannot_start_at_once_ends_no_stream(tmp_path, link):
    late = "RelayOp, inputs: {in: first}"
    app = APP.format(link=link).replace(late, late.replace("Relay", "Late"))
    app = app.replace("[second]}", "[second], restart: on-failure}")
    (tmp_path / "relays.py").write_text(OPERATORS)
    with Launched(tmp_path, app) as run:
        assert run.end() == 0, run
        run.until("operator 'second' of fragment 'c' failed on start: ValueError: no model")
        assert run.restarts() == {"a": 0, "b": 0, "c": 1, "d": 0}
        flows = run.flows()
        came = flows["second -> look.x"]
        assert came["sent"] == came["delivered"] == len(run.kept("looked"))
        assert came["delivered"] >= 50
        assert {c for b in flows.values() for c in b["dropped"]} <= {"crash"}
