"""Links over ucx: Holoscan's UCX transport carries messages, a control connection the counters."""

from holoflow.link.ucx.control import ConnectionLostError
from holoflow.link.ucx.frame import Peers, environment
from holoflow.link.ucx.transport import UcxTransport

__all__ = ["ConnectionLostError", "Peers", "UcxTransport", "environment"]
