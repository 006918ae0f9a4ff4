"""zeromq sockets, configured for links, and the events of their monitors."""

from __future__ import annotations

import errno
import ipaddress
import re
import socket as net
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, Final

import zmq
from zmq.utils.monitor import recv_monitor_message

from holoflow.core.errors import HoloflowError
from holoflow.link.ends import Buffer

_BULKY: Final = 256 << 10
"""Bytes of a buffer from which zeromq uses the memory itself instead of a copy; below that, waking
another thread once it has been sent would cost more."""

Event = zmq.Event

# As integers: combining enumeration members takes longer than sending.
LAST: Final = int(zmq.NOBLOCK)
"""Flags for sending the last part of a message."""
MORE: Final = int(zmq.NOBLOCK | zmq.SNDMORE)
"""Flags for sending a part that is followed by others."""
_INPUT: Final = int(zmq.POLLIN)


def make(context: zmq.Context[Any], kind: int, most: int) -> zmq.Socket[bytes]:
    """Return a socket of `kind` whose peers may send parts of up to `most` bytes."""
    socket: zmq.Socket[bytes] = context.socket(kind)
    socket.linger = 0
    socket.sndhwm = 0  # unlimited: the senders limit what is waiting
    socket.rcvhwm = 100
    socket.maxmsgsize = most
    socket.handshake_ivl = 5_000
    socket.connect_timeout = 3_000
    # zeromq's own heartbeats would interrupt a large message on a slow network.
    socket.tcp_keepalive = 1
    socket.tcp_keepalive_idle = 10
    socket.tcp_keepalive_intvl = 5
    socket.tcp_keepalive_cnt = 3
    socket.setsockopt(zmq.TCP_MAXRT, 30_000)
    return socket


def send(socket: zmq.Socket[bytes], first: bytes, buffers: Sequence[Buffer] = ()) -> None:
    """Send a message of `first` and `buffers`, without blocking; raises zmq.ZMQError."""
    last = len(buffers)
    socket.send(first, MORE if last else LAST)
    for at, part in enumerate(buffers, 1):
        socket.send(part, MORE if at < last else LAST, copy=len(part) < _BULKY)


def watched(socket: zmq.Socket[bytes]) -> zmq.Socket[bytes]:
    """Return a socket that reports the events of the connections of `socket`."""
    monitor: zmq.Socket[bytes] = socket.get_monitor_socket(
        Event.ACCEPTED
        | Event.HANDSHAKE_SUCCEEDED
        | Event.HANDSHAKE_FAILED_AUTH
        | Event.HANDSHAKE_FAILED_NO_DETAIL
        | Event.HANDSHAKE_FAILED_PROTOCOL
        | Event.DISCONNECTED
    )
    return monitor


def events(monitor: zmq.Socket[bytes]) -> Iterator[tuple[int, int]]:
    """Yield (event, value) of everything that has happened."""
    while True:
        try:
            message = recv_monitor_message(monitor, zmq.NOBLOCK)
        except zmq.Again:
            return
        yield int(message["event"]), int(message["value"])


def more(socket: zmq.Socket[bytes]) -> bool:
    """Whether the last received part is followed by others of its message."""
    return bool(socket.get(zmq.RCVMORE))  # in a third of the time of `socket.rcvmore`


def has_input(socket: zmq.Socket[bytes]) -> bool:
    """Whether `socket` has input that has not been received yet."""
    return bool(int(socket.get(zmq.EVENTS)) & _INPUT)


def close(socket: zmq.Socket[bytes], monitor: zmq.Socket[bytes], linger: int = 0) -> None:
    """Close both; what is in transit has `linger` milliseconds to be delivered."""
    socket.disable_monitor()
    monitor.close(0)
    socket.close(linger)


def bind(socket: zmq.Socket[bytes], endpoint: str) -> str:
    """Listen on `endpoint`, and return it, with the chosen port if it left that open.

    Raises:
        HoloflowError: It is not possible to listen there.
    """
    resolved = _resolved(endpoint)
    socket.ipv6 = "[" in resolved
    try:
        socket.bind(resolved)
    except zmq.ZMQError as error:
        raise _refused(f"cannot listen on {endpoint}", error) from None
    return bytes(socket.getsockopt(zmq.LAST_ENDPOINT)).decode().rstrip("\0")


def connect(socket: zmq.Socket[bytes], endpoint: str) -> None:
    """Start connecting to `endpoint`; raise HoloflowError if it is invalid."""
    socket.ipv6 = re.match(r"tcp://[\d.]+:", endpoint) is None
    try:
        socket.connect(endpoint)
    except zmq.ZMQError as error:
        raise _refused(f"cannot connect to {endpoint}", error) from None


def _resolved(endpoint: str) -> str:
    """Return `endpoint` with the host's address for its name: zeromq can only listen on those."""
    if not endpoint.startswith("tcp://"):
        return endpoint
    host, _, port = endpoint[6:].rpartition(":")
    with suppress(ValueError):
        ipaddress.ip_address(host.strip("[]"))
        return endpoint
    if host == "*":
        return endpoint
    try:
        found = net.getaddrinfo(host, None, type=net.SOCK_STREAM)[0][4][0]
    except OSError as error:
        raise HoloflowError(f"cannot listen on {endpoint}: {error.strerror}") from None
    return f"tcp://[{found}]:{port}" if ":" in str(found) else f"tcp://{found}:{port}"


def _refused(what: str, error: zmq.ZMQError) -> HoloflowError:
    if error.errno == errno.EADDRINUSE:
        return HoloflowError(
            f"{what}: another program listens there", "give the fragment another port"
        )
    if error.errno in (errno.EADDRNOTAVAIL, errno.ENODEV):
        return HoloflowError(
            f"{what}: that is not an address of this host", "give one with --host NAME=ADDRESS"
        )
    return HoloflowError(f"{what}: {error.strerror or error}")
