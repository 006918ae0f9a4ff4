"""Operators without ports, called one after the other, and a loop that one of them ends."""

from holoscan.core import Application, Operator


class StepOp(Operator):
    def __init__(self, fragment, *args, word, **kwargs):
        self.word = word
        self.calls = 0
        super().__init__(fragment, *args, **kwargs)

    def compute(self, op_input, op_output, context):
        self.calls += 1
        print(self.word, self.calls)


def again_or_on(operator):
    again, on = operator.next_flows
    operator.add_dynamic_flow(again if operator.calls < 3 else on)


class Steps(Application):
    def compose(self):
        loop, last = StepOp(self, name="loop", word="again"), StepOp(self, name="last", word="last")
        self.add_flow(self.start_op(), loop)
        self.add_flow(loop, loop)
        self.add_flow(loop, last)
        self.set_dynamic_flows(loop, again_or_on)


if __name__ == "__main__":
    Steps().run()
