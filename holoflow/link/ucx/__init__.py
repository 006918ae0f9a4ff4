"""Link `ucx`: Holoscan's UCX transport carries the messages, a line beside it the counts."""

from holoflow.link.ucx.line import LineLostError
from holoflow.link.ucx.settings import Peers, environment
from holoflow.link.ucx.transport import UcxTransport

__all__ = ["LineLostError", "Peers", "UcxTransport", "environment"]
