"""Links over zeromq, between processes and between hosts.

Needs the extra `zeromq`: import it only where such a link is used.
"""

from holoflow.extras import optional

for _module in ("zmq", "msgpack"):
    optional(_module, "zeromq")

from holoflow.link.zeromq.addresses import encrypted, on_host, on_network  # noqa: E402
from holoflow.link.zeromq.settings import Address, AppIdentity, Timing  # noqa: E402
from holoflow.link.zeromq.transport import ZeroMQ  # noqa: E402

__all__ = ["Address", "AppIdentity", "Timing", "ZeroMQ", "encrypted", "on_host", "on_network"]
