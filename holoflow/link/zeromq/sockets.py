"""zeromq's sockets, set up as links need them, and what their monitors say."""

from __future__ import annotations

import errno
import ipaddress
import re
import socket as net
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

import zmq
from zmq.utils.monitor import recv_monitor_message

from holoflow.core.errors import HoloflowError

BULKY: Final = 256 << 10
"""Bytes of a buffer from which on zeromq is given the memory itself instead of a copy: that wakes
another thread once it has been sent."""

Event = zmq.Event

# As integers: to put enumerations together takes longer than to send.
LAST: Final = int(zmq.NOBLOCK)
"""Flags with which a part is sent that ends its message."""
MORE: Final = int(zmq.NOBLOCK | zmq.SNDMORE)
"""Flags with which a part is sent that others follow."""
_INPUT: Final = int(zmq.POLLIN)


def make(context: zmq.Context[Any], kind: int, most: int) -> zmq.Socket[bytes]:
    """Return a socket of `kind` whose peers may send parts of up to `most` bytes."""
    socket: zmq.Socket[bytes] = context.socket(kind)
    socket.linger = 0
    socket.sndhwm = 0  # what waits is bounded by those who send
    socket.rcvhwm = 100
    socket.maxmsgsize = most
    socket.handshake_ivl = 5_000
    socket.connect_timeout = 3_000
    # zeromq's own heartbeats would break off a large message on a slow network.
    socket.tcp_keepalive = 1
    socket.tcp_keepalive_idle = 10
    socket.tcp_keepalive_intvl = 5
    socket.tcp_keepalive_cnt = 3
    socket.setsockopt(zmq.TCP_MAXRT, 30_000)
    return socket


def watched(socket: zmq.Socket[bytes]) -> zmq.Socket[bytes]:
    """Return a socket that tells what happens to the connections of `socket`."""
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
    """Give (event, value) of all that has happened."""
    while True:
        try:
            told = recv_monitor_message(monitor, zmq.NOBLOCK)
        except zmq.Again:
            return
        yield int(told["event"]), int(told["value"])


def more(socket: zmq.Socket[bytes]) -> bool:
    """Whether the part that was received last is followed by others of its message."""
    return bool(socket.get(zmq.RCVMORE))  # in a third of the time of `socket.rcvmore`


def has_input(socket: zmq.Socket[bytes]) -> bool:
    """Whether something has come for `socket` that was not received yet."""
    return bool(int(socket.get(zmq.EVENTS)) & _INPUT)


def close(socket: zmq.Socket[bytes], monitor: zmq.Socket[bytes], linger: int = 0) -> None:
    """Close both; what is under way gets `linger` milliseconds."""
    socket.disable_monitor()
    monitor.close(0)
    socket.close(linger)


def bind(socket: zmq.Socket[bytes], endpoint: str) -> str:
    """Listen at `endpoint`, and return it with the port that was chosen, if it left it open.

    Raises HoloflowError where that is not possible here.
    """
    resolved = _resolved(endpoint)
    socket.ipv6 = "[" in resolved
    try:
        socket.bind(resolved)
    except zmq.ZMQError as error:
        raise HoloflowError(f"cannot listen at {endpoint}: {_why(error)}") from None
    return bytes(socket.getsockopt(zmq.LAST_ENDPOINT)).decode().rstrip("\0")


def connect(socket: zmq.Socket[bytes], endpoint: str) -> None:
    """Begin to connect to `endpoint`; raises HoloflowError where it is none."""
    socket.ipv6 = re.match(r"tcp://[\d.]+:", endpoint) is None
    try:
        socket.connect(endpoint)
    except zmq.ZMQError as error:
        raise HoloflowError(f"cannot connect to {endpoint}: {_why(error)}") from None


def _resolved(endpoint: str) -> str:
    """Return `endpoint` with an address for the name of a host: zeromq listens at those only."""
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
        raise HoloflowError(f"cannot listen at {endpoint}: {error.strerror}") from None
    return f"tcp://[{found}]:{port}" if ":" in str(found) else f"tcp://{found}:{port}"


def _why(error: zmq.ZMQError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "another program listens there; give the fragment another port"
    if error.errno in (errno.EADDRNOTAVAIL, errno.ENODEV):
        return "that is no address of this host; say which with --host NAME=ADDRESS"
    return str(error.strerror or error)
