"""A source that is called by the clock, in a scheduler of several threads, and one that ends it."""

from datetime import timedelta

from holoscan.conditions import BooleanCondition, CountCondition, PeriodicCondition
from holoscan.core import Application, ConditionType, Operator
from holoscan.schedulers import EventBasedScheduler


class TickOp(Operator):
    def __init__(self, *args, **kwargs):
        self.ticks = 0
        super().__init__(*args, **kwargs)

    def setup(self, spec):
        spec.output("tick")

    def compute(self, op_input, op_output, context):
        self.ticks += 1
        op_output.emit(self.ticks, "tick")


class CountdownOp(Operator):
    def setup(self, spec):
        spec.input("tick").condition(ConditionType.MESSAGE_AVAILABLE, min_size=1)
        spec.param("last", 3)

    def compute(self, op_input, op_output, context):
        tick = op_input.receive("tick")
        print(f"tick {tick} of {self.last}")


class Ticking(Application):
    def compose(self):
        tick = TickOp(
            self,
            CountCondition(self, 4, name="four"),
            PeriodicCondition(self, timedelta(milliseconds=5), name="often"),
            name="tick",
        )
        show = CountdownOp(self, BooleanCondition(self, True, name="enabled"), name="show", last=4)
        self.add_flow(tick, show)


if __name__ == "__main__":
    app = Ticking()
    app.scheduler(EventBasedScheduler(app, worker_thread_number=2, max_duration_ms=60_000))
    app.run()
