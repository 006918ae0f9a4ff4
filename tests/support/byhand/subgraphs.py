"""A subgraph that is used twice, and an operator that is made of a function."""

from holoscan.conditions import CountCondition
from holoscan.core import Application, Operator, Subgraph
from holoscan.decorator import Input, Output, create_op
from holoscan.operators import PingTxOp


@create_op(inputs=Input("number", arg_map="number"), outputs=Output("product"))
def times(number, by=2):
    return number * by


class SumOp(Operator):
    def setup(self, spec):
        spec.input("left")
        spec.input("right")

    def compute(self, op_input, op_output, context):
        print("sum", op_input.receive("left") + op_input.receive("right"))


class Multiples(Subgraph):
    def __init__(self, fragment, name, by):
        self.by = by
        super().__init__(fragment, name)

    def compose(self):
        sender = PingTxOp(self, CountCondition(self, 3), name="sender")
        product = times(self, name="times", by=self.by)
        self.add_flow(sender, product)
        self.add_output_interface_port("numbers", product, "product")


class Sums(Application):
    def compose(self):
        total = SumOp(self, name="total")
        for name, by in (("left", 3), ("right", 10)):
            self.add_flow(Multiples(self, name, by), total, {("numbers", name)})


if __name__ == "__main__":
    Sums().run()
