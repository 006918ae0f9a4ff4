"""A service of its own that operators ask for, and a data logger."""

from holoscan.conditions import CountCondition
from holoscan.core import Application, DefaultFragmentService, Operator
from holoscan.data_loggers import BasicConsoleLogger


class Settings(DefaultFragmentService):
    def __init__(self, gain, offset=0.0):
        super().__init__()
        self.gain, self.offset = gain, offset


class UseOp(Operator):
    def compute(self, op_input, op_output, context):
        settings = self.service(Settings, "settings")
        print(settings.gain, settings.offset)


class Serving(Application):
    def compose(self):
        self.register_service(Settings(2.5, offset=1.0), "settings")
        self.add_data_logger(BasicConsoleLogger(self, name="console", log_outputs=False))
        self.add_operator(UseOp(self, CountCondition(self, 2), name="use"))


if __name__ == "__main__":
    Serving().run()
