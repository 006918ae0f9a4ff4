"""Sends pickles to a UCX port of this host, each of which makes a folder: PORT FOLDER."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

from holoflow.holoscan import runtime

os.environ.update(
    UCX_NET_DEVICES="lo", UCX_TLS="tcp", UCX_TCP_TX_SEG_SIZE="200k", UCX_TCP_RX_SEG_SIZE="200k"
)
holoscan = runtime.load()
core = holoscan.core
UcxContext = importlib.import_module("holoscan.network_contexts").UcxContext


class Pickled:
    """Whoever unpickles it makes a folder."""

    def __reduce__(self) -> Any:
        return os.mkdir, (sys.argv[2],)


class SendOp(core.Operator):
    """Sends the pickle."""

    def setup(self, spec: Any) -> None:
        spec.output("out").connector(
            core.IOSpec.ConnectorType.UCX, capacity=1, policy=2, receiver_address="127.0.0.1",
            local_address="127.0.0.1", port=int(sys.argv[1]), local_port=0,
            maximum_connection_retries=10,
        )  # fmt: skip

    def compute(self, _op_input: Any, op_output: Any, _context: Any) -> None:
        op_output.emit(Pickled(), "out")


class Stranger(core.Application):
    """Somebody who has found the port."""

    def compose(self) -> None:
        context = UcxContext(self, name="ucx context")
        context.add_arg(core.py_object_to_arg(True, "cpu_data_only"))
        self.network_context(context)
        few = holoscan.conditions.CountCondition(self, 3)
        self.add_operator(SendOp(self, few, name="send"))


Stranger(["stranger"]).run()
