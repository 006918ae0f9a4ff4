"""Operators of Holoscan's on a host of their own, one of which cannot start at once."""

from __future__ import annotations

import pytest
from support.hosts import PATIENCE
from support.trials import HOLOFLOW, introduce

from holoflow.report.run_report import read_report

pytestmark = pytest.mark.holoscan

OPERATORS = """
import os
from collections.abc import Iterator

import numpy as np
from holoscan.core import Operator as HoloscanOperator

from holoflow import Header, Operator, Stamped, param
from holoflow.core.pictures import Image


class ImagesOp(Operator):
    n: int = param(300, doc="images")

    def frames(self) -> Iterator[Stamped[Image]]:
        for index in range(self.n):
            yield Stamped(Image(np.full((40, 50, 3), index % 256, np.uint8)), timestamp=index)


class LateOp(HoloscanOperator):
    def setup(self, spec):
        spec.input("in")
        spec.output("out")

    def start(self):
        if not os.path.exists("started"):
            open("started", "w").close()
            raise ValueError("no model")

    def compute(self, op_input, op_output, _context):
        op_output.emit(op_input.receive("in"), "out")


class LookOp(Operator):
    def start(self) -> None:
        self.file = (self.context.output / "looked.txt").open("w")

    def process(self, x: Image, header: Header) -> None:
        assert x.data.shape == (40, 50, 3)
        assert int(x.data.flat[0]) == header.timestamp % 256
        print(header.timestamp, file=self.file)

    def stop(self) -> None:
        self.file.close()
"""
APP = """
app: relayed
operators:
  images: {type: ./relays.py:ImagesOp}
  late: {type: ./relays.py:LateOp, inputs: {in: images}}
  look: {type: ./relays.py:LookOp, inputs: {x: late}}
fragments:
  a: {operators: [images], host: edge}
  b: {operators: [late], host: server, restart: on-failure}
  c: {operators: [look], host: desk}
"""


def test_frames_that_one_loses_that_cannot_start_at_once_are_counted_on_both_hosts(hosts):
    three = hosts("edge", "server", "desk")
    introduce(*three)
    programs = []
    for host, fragment in zip(three, "abc", strict=True):
        app = host.home / "app"
        app.mkdir()
        (app / "relays.py").write_text(OPERATORS)
        (app / "app.yaml").write_text(APP)
        command = [HOLOFLOW, "run", "app", "--fragment", fragment, "--output", "run", "--no-web"]
        with (host.home / "log").open("w") as log:
            programs.append(host.popen(command, stdout=log, stderr=log))
    statuses = [program.wait(PATIENCE) for program in programs]
    logs = [(host.home / "log").read_text() for host in three]
    assert statuses == [0, 0, 0], logs
    assert "operator 'late' of fragment 'b' failed on start: ValueError: no model" in logs[1]

    edge, server, desk = (
        {flow.name: flow for flow in read_report(host.home / "run").snapshot.flows}
        for host in three
    )
    (into,), (out,) = edge.values(), desk.values()
    assert server.keys() == {into.name, out.name}
    for flow in (into, out):
        there = server[flow.name]
        assert (flow.sent, flow.delivered, flow.lost) == (there.sent, there.delivered, there.lost)
        assert flow.sent == flow.delivered + flow.lost
    assert into.sent == 300
    assert into.delivered == out.sent
    looked = (three[2].home / "run" / "looked.txt").read_text().split()
    assert len(set(looked)) == len(looked) == out.delivered
    assert {cause for flow in (into, out) for cause in flow.dropped} <= {"crash"}
    assert [host.left_behind() + host.processes() for host in three] == [[], [], []]
