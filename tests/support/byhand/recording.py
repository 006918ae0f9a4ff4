"""Makes the recording that the replaying application plays."""

import sys

from holoscan.conditions import CountCondition
from holoscan.core import Application
from holoscan.operators import PingTensorTxOp, VideoStreamRecorderOp


class Recording(Application):
    def compose(self):
        sender = PingTensorTxOp(
            self, CountCondition(self, 3), name="sender", rows=4, columns=5, channels=3,
            storage_type="system", tensor_name="frame",
        )  # fmt: skip
        recorder = VideoStreamRecorderOp(
            self, name="recorder", directory=sys.argv[1], basename="clip"
        )
        self.add_flow(sender, recorder)


if __name__ == "__main__":
    Recording().run()
