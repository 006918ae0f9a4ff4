"""Links over zeromq, between processes and between hosts.

Needs the extra `zeromq`: import it only where such a link is used.
"""

from holoflow.core.errors import optional

for _module in ("zmq", "msgpack"):
    optional(_module, "zeromq")

from holoflow.link.zeromq.settings import (  # noqa: E402  # noqa: E402
    AppIdentity,
    PeerAddress,
    Timing,
    encrypted,
    on_host,
    on_network,
)
from holoflow.link.zeromq.transport import ZeroMQ  # noqa: E402

__all__ = ["AppIdentity", "PeerAddress", "Timing", "ZeroMQ", "encrypted", "on_host", "on_network"]
