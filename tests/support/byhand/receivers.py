"""Any number of senders into one port, in the order in which they are connected."""

from holoscan.conditions import CountCondition
from holoscan.core import Application, IOSpec, Operator
from holoscan.operators import PingTxOp


class NamedOp(Operator):
    def __init__(self, fragment, *args, letter="?", **kwargs):
        self.letter = letter
        super().__init__(fragment, *args, **kwargs)

    def setup(self, spec):
        spec.input("number")
        spec.output("named")

    def compute(self, op_input, op_output, context):
        op_output.emit(f"{self.letter}{op_input.receive('number')}", "named")


class AllOp(Operator):
    def setup(self, spec):
        spec.input("receivers", size=IOSpec.ANY_SIZE)

    def compute(self, op_input, op_output, context):
        print("all:", *op_input.receive("receivers"))


class Receivers(Application):
    def compose(self):
        sender = PingTxOp(self, CountCondition(self, 3), name="sender")
        gather = AllOp(self, name="gather")
        for letter in "cab":
            named = NamedOp(self, name=f"named_{letter}", letter=letter)
            self.add_flow(sender, named)
            self.add_flow(named, gather, {("named", "receivers")})


if __name__ == "__main__":
    Receivers().run()
