"""Arguments from a file, for one of Holoscan's operators and one of its own; and of a script."""

import argparse
from pathlib import Path

import numpy as np
from holoscan.conditions import CountCondition
from holoscan.core import Application, Operator


class GridOp(Operator):
    def setup(self, spec):
        spec.output("grid")
        spec.param("rows", 1)
        spec.param("columns", 1)

    def compute(self, op_input, op_output, context):
        op_output.emit(np.arange(self.rows * self.columns), "grid")


class MeanOp(Operator):
    def __init__(self, fragment, *args, prefix, digits, **kwargs):
        self.prefix, self.digits = prefix, digits
        super().__init__(fragment, *args, **kwargs)

    def setup(self, spec):
        spec.input("grid")

    def compute(self, op_input, op_output, context):
        mean = np.asarray(op_input.receive("grid")).mean()
        print(self.prefix, f"{mean:.{self.digits}f}")


class Configured(Application):
    def compose(self):
        frames = self.kwargs("frames")["frames"]
        grid = GridOp(self, CountCondition(self, frames), self.from_config("source"), name="grid")
        mean = MeanOp(self, name="mean", **self.kwargs("show"))
        self.add_flow(grid, mean)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", type=Path, required=True)
    app = Configured()
    app.config(str(parser.parse_args().config.absolute()))
    app.run()
