"""A recording that one of Holoscan's operators plays, and one of its own that looks at it."""

import os
import sys

import numpy as np
from holoscan.core import Application, Operator
from holoscan.operators import VideoStreamReplayerOp


class ShapeOp(Operator):
    def setup(self, spec):
        spec.input("frame")

    def compute(self, op_input, op_output, context):
        for name, tensor in op_input.receive("frame").items():
            print(name, np.asarray(tensor).shape)


class Replay(Application):
    def __init__(self, folder):
        super().__init__()
        self.folder = folder

    def compose(self):
        replayer = VideoStreamReplayerOp(
            self, name="replayer", directory=self.folder, basename="clip", frame_rate=0.0,
            repeat=False, realtime=False, count=2,
        )  # fmt: skip
        self.add_flow(replayer, ShapeOp(self, name="shape"), {("output", "frame")})


if __name__ == "__main__":
    Replay(os.path.abspath(sys.argv[1])).run()
