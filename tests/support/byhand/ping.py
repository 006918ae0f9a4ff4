"""Ten numbers from Holoscan's own sender to its own receiver."""

from holoscan.conditions import CountCondition
from holoscan.core import Application
from holoscan.operators import PingRxOp, PingTxOp


class Ping(Application):
    def compose(self):
        sender = PingTxOp(self, CountCondition(self, 10), name="sender")
        receiver = PingRxOp(self, name="receiver")
        self.add_flow(sender, receiver)


if __name__ == "__main__":
    Ping().run()
