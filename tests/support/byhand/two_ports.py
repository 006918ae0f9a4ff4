"""Operators of its own with several ports, made in a loop and with arguments of all kinds."""

import enum
from pathlib import Path

from holoscan.conditions import CountCondition
from holoscan.core import Application, Operator
from holoscan.resources import UnboundedAllocator


class Mode(enum.Enum):
    SUM = "sum"
    PRODUCT = "product"


class PairOp(Operator):
    def __init__(self, fragment, *args, start=0, **kwargs):
        self.number = start
        super().__init__(fragment, *args, **kwargs)

    def setup(self, spec):
        spec.output("even")
        spec.output("odd")

    def compute(self, op_input, op_output, context):
        op_output.emit(2 * self.number, "even")
        op_output.emit(2 * self.number + 1, "odd")
        self.number += 1


class ScaleOp(Operator):
    def __init__(self, fragment, factor, *args, pool=None, **kwargs):
        self.factor = factor
        self.pool = pool
        super().__init__(fragment, *args, **kwargs)

    def setup(self, spec):
        spec.input("value")
        spec.output("scaled")

    def compute(self, op_input, op_output, context):
        op_output.emit(self.factor * op_input.receive("value"), "scaled")


class JoinOp(Operator):
    def __init__(
        self, fragment, *args, mode: Mode = Mode.SUM, path: Path = Path(), names=(), pool=None,
        **kwargs,
    ):  # fmt: skip
        self.mode = Mode(mode)
        self.path = Path(path)
        self.names = list(names)
        self.pool = pool
        super().__init__(fragment, *args, **kwargs)

    def setup(self, spec):
        spec.input("left")
        spec.input("right")

    def compute(self, op_input, op_output, context):
        left, right = op_input.receive("left"), op_input.receive("right")
        joined = left + right if self.mode is Mode.SUM else left * right
        print(
            type(self.pool).__name__,
            f"{self.names} {self.path.name}: {left} and {right} give {joined}",
        )


class TwoPorts(Application):
    def __init__(self, factors):
        super().__init__()
        self.factors = factors

    def compose(self):
        pool = UnboundedAllocator(self, name="pool")
        pair = PairOp(self, CountCondition(self, 5), start=3, name="pair")
        join = JoinOp(
            self, name="join", mode=Mode.PRODUCT, path=Path("somewhere/notes.txt"),
            names=["a", "b"], pool=pool,
        )  # fmt: skip
        for factor, output, port in zip(
            self.factors, ("even", "odd"), ("left", "right"), strict=True
        ):
            scale = ScaleOp(self, factor, name=f"scale {factor}", pool=pool)
            self.add_flow(pair, scale, {(output, "value")})
            self.add_flow(scale, join, {("scaled", port)})


def main():
    app = TwoPorts([10, 100])
    app.run()


if __name__ == "__main__":
    main()
