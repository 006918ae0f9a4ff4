"""Operators with threads of their own, and a scheduler that is told when it is stuck."""

from holoscan.conditions import CountCondition
from holoscan.core import Application
from holoscan.operators import PingRxOp, PingTxOp
from holoscan.schedulers import EventBasedScheduler


class Pooled(Application):
    def compose(self):
        sender = PingTxOp(self, CountCondition(self, count=2), name="sender")
        receiver = PingRxOp(self, name="receiver")
        self.add_flow(sender, receiver)
        self.make_thread_pool("pinned", 1).add([sender], True, pin_cores=[0])
        self.make_thread_pool("other").add(receiver)


def main():
    app = Pooled()
    app.scheduler(EventBasedScheduler(app, worker_thread_number=3, stop_on_deadlock_timeout=700))
    app.run()


if __name__ == "__main__":
    main()
