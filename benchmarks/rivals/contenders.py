"""Who takes part, in the order of the tables."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Contender:
    """One way of moving arrays between two processes."""

    name: str
    module: str
    """Its file in `rivals`."""
    variant: str
    needs: tuple[str, ...]
    """What must be importable, and what pip calls it: `module=package`."""
    sender: str
    """What becomes of the sender's array."""
    receiver: str
    """What the receiver's array is."""
    roles: tuple[str, ...] = ("receive", "send")
    """Functions of `module`, each started in a process."""
    attempts: int = 1
    """How often a measurement is tried: more than once where the rival often fails to start."""
    hopeless: str = ""
    """What its processes write before they hang."""
    leaves: str = ""
    """Pattern of the files that its processes may leave in /dev/shm, where `{job}` is the name of
    the job's folder."""

    def missing(self) -> list[str]:
        """Return the packages to install before it can take part."""
        pairs = (need.split("=") for need in self.needs)
        return [package for module, package in pairs if not _there(module)]


def _there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # not even the package around it
        return False


_COPIED: Final = ("copied once", "a view of shared memory")
_LOANED: Final = ("written where the receiver reads it", "a view of shared memory")
_SOCKET: Final = ("read where it lies, by the kernel", "a view of received memory")
_CURVE: Final = ("encrypted", "a view of decrypted memory")

_IOX: Final = ("iceoryx2=iceoryx2",)
_ZMQ: Final = ("zmq=pyzmq",)
_DORA: Final = ("dora=dora-rs", "dora_cli=dora-rs-cli", "pyarrow=pyarrow")
_HOLOSCAN: Final = ("holoscan=holoscan-cu12",)
_APP: Final = (*_HOLOSCAN, "msgpack=msgpack")
_TOGETHER: Final = ("run",)

CONTENDERS: Final = (
    Contender("app, shared memory, copy", "app", "shared_memory copy",
              (*_APP, *_IOX), *_COPIED, _TOGETHER),
    Contender("app, shared memory, loan", "app", "shared_memory loan",
              (*_APP, *_IOX), *_LOANED, _TOGETHER),
    Contender("app, shared memory, loan, linger 10 ms", "app", "shared_memory loan linger",
              (*_APP, *_IOX), *_LOANED, _TOGETHER),
    Contender("app, zeromq, ipc", "app", "zeromq ipc", (*_APP, *_ZMQ), *_SOCKET, _TOGETHER),
    Contender("app, zeromq, tcp", "app", "zeromq tcp", (*_APP, *_ZMQ), *_SOCKET),
    Contender("app, zeromq, tcp + CURVE", "app", "zeromq tcp curve", (*_APP, *_ZMQ), *_CURVE),
    Contender("app, ucx", "app", "ucx", _APP,
              "read where it lies, by UCX", "a view of received memory", _TOGETHER),
    Contender("link, shared memory, copy", "link", "shared_memory copy",
              (*_APP, *_IOX), *_COPIED, leaves="holoflow_{job}*"),
    Contender("link, shared memory, loan", "link", "shared_memory loan",
              (*_APP, *_IOX), *_LOANED, leaves="holoflow_{job}*"),
    Contender("link, zeromq, ipc", "link", "zeromq ipc", (*_APP, *_ZMQ), *_SOCKET),
    Contender("link, zeromq, tcp", "link", "zeromq tcp", (*_APP, *_ZMQ), *_SOCKET),
    Contender("link, zeromq, tcp + CURVE", "link", "zeromq tcp curve", (*_APP, *_ZMQ), *_CURVE),
    Contender("iceoryx2, copy", "iceoryx2", "copy", _IOX, *_COPIED, leaves="bench_{job}*"),
    Contender("iceoryx2, loan", "iceoryx2", "loan", _IOX, *_LOANED, leaves="bench_{job}*"),
    Contender("pyzmq, ipc", "pyzmq", "ipc", _ZMQ, *_SOCKET),
    Contender("pyzmq, tcp", "pyzmq", "tcp", _ZMQ, *_SOCKET),
    Contender("pyzmq, tcp + CURVE", "pyzmq", "tcp+curve", _ZMQ, *_CURVE),
    Contender("ezmsg", "ezmsg", "copy", ("ezmsg.core=ezmsg",), *_COPIED, _TOGETHER),
    Contender("dora, copy", "dora", "copy", _DORA, *_COPIED, _TOGETHER, leaves="*.zenoh"),
    Contender("dora, loan", "dora", "loan", _DORA, *_LOANED, _TOGETHER, leaves="*.zenoh"),
    Contender("Holoscan UCX", "holoscan", "tensor", _HOLOSCAN,
              "read where it lies, by UCX", "a view of received memory", attempts=8,
              hopeless="Graph execution error"),
)  # fmt: skip
