"""Two fragments with operators of the same names, connected by ports."""

from holoscan.conditions import CountCondition
from holoscan.core import Application, Fragment, Operator
from holoscan.operators import PingTxOp


class PlusOp(Operator):
    def setup(self, spec):
        spec.input("number")
        spec.output("more")
        spec.param("by", 1)

    def compute(self, op_input, op_output, context):
        op_output.emit(op_input.receive("number") + self.by, "more")


class ShowOp(Operator):
    def setup(self, spec):
        spec.input("number")

    def compute(self, op_input, op_output, context):
        print("shown", op_input.receive("number"), flush=True)


class Sending(Fragment):
    def compose(self):
        sender = PingTxOp(self, CountCondition(self, 4), name="sender")
        plus = PlusOp(self, name="plus", by=10)
        self.add_flow(sender, plus)


class Showing(Fragment):
    def compose(self):
        plus, show = PlusOp(self, name="plus", by=100), ShowOp(self, name="show")
        self.add_flow(plus, show, {("more", "number")})


class Apart(Application):
    def compose(self):
        sending, showing = Sending(self, name="sending"), Showing(self, name="showing")
        self.add_flow(sending, showing, {("plus.more", "plus.number")})


if __name__ == "__main__":
    Apart().run()
