"""Services, a pose tree and data loggers of Holoscan's, as an app file names them."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
from support.graphs import EVENT2, run

from holoflow.app.load import load
from holoflow.app.mistakes import AppError

OPERATORS = """
import numpy as np
from holoscan.core import DefaultFragmentService, Operator
from holoscan.pose_tree import Pose3, PoseTreeManager, SO3


class Settings(DefaultFragmentService):
    def __init__(self, gain: float = 1.0) -> None:
        super().__init__()
        self.gain = gain
        self.seen = []


class Robot(Operator):
    def setup(self, spec):
        spec.output("out")

    def start(self):
        self.tree = self.service(PoseTreeManager, "poses").tree
        self.tree.create_frame("world")
        self.tree.create_frame("robot")
        self.tree.create_edges("world", "robot")
        self.time = 0.0

    def compute(self, op_input, op_output, context):
        self.time += 1
        pose = Pose3(SO3.identity(), np.array([2 * self.time, 0, 0]))
        self.tree.set("world", "robot", self.time, pose)
        op_output.emit(self.time, "out")
        if self.time == 3:
            self.stop_execution()


class Arm(Operator):
    def setup(self, spec):
        spec.input("in")
        spec.output("out")

    def compute(self, op_input, op_output, context):
        time = op_input.receive("in")
        settings = self.service(Settings, "settings")
        assert self.service(Settings) is settings
        tree = self.service(PoseTreeManager, "poses").tree
        pose = tree.get("world", "robot", time)
        op_output.emit(settings.gain * float(pose.translation[0]), "out")
"""

APP = """
app: poses
services:
  poses: {type: "holoscan.pose_tree:PoseTreeManager"}
  settings: {type: "./robot.py:Settings", with: {gain: 2.5}}
loggers:
  console: {type: "holoscan.data_loggers:BasicConsoleLogger", with: {log_outputs: false}}
operators:
  robot: {type: "./robot.py:Robot"}
  arm: {type: "./robot.py:Arm", inputs: {in: robot}}
  sink: {type: "support.graphs:Sink", inputs: {x: arm}}
"""


def written(folder: Path, text: str) -> Path:
    (folder / "robot.py").write_text(OPERATORS)
    path = folder / "app.yaml"
    path.write_text(textwrap.dedent(text))
    return path


def test_operators_share_services_and_a_pose_tree(tmp_path: Path) -> None:
    ran = run(load(written(tmp_path, APP)), EVENT2)
    assert ran.result.outcome == "done", ran.result.failure
    assert ran.payloads() == [5.0, 10.0, 15.0]


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ('"./robot.py:Settings"', '"./robot.py:Arm"', "'./robot.py:Arm' is not a service"),
        ("gain: 2.5", "gian: 2.5", "no parameter 'gian'; did you mean 'gain'"),
        ("data_loggers:BasicConsoleLogger", "resources:UnboundedAllocator", "not a data logger"),
    ],
)
def test_what_is_none_is_refused_with_its_place(
    right: str, wrong: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(AppError, match=said) as raised:
        load(written(tmp_path, APP.replace(right, wrong)))
    assert "app.yaml:" in str(raised.value)
