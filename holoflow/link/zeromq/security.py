"""Encryption and authentication: CURVE, and the allow-list that zeromq consults for each client."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import zmq
from zmq.utils import z85

from holoflow.core.errors import HoloflowError
from holoflow.core.listener import Refusals

if TYPE_CHECKING:
    from holoflow.link.keys import KeyStore, OwnKeys

_ENDPOINT: Final = "inproc://zeromq.zap.01"
_LOOK_AGAIN: Final = 1.0
"""Seconds after which an unknown key causes the allow-list to be read again."""


def serve(socket: zmq.Socket[bytes], own: OwnKeys) -> None:
    """Make `socket` accept only clients that prove an allowed key, and encrypt everything."""
    socket.curve_server = True
    socket.curve_publickey = own.public.encode()
    socket.curve_secretkey = own.secret.encode()
    socket.zap_domain = b"holoflow"


def join(socket: zmq.Socket[bytes], own: OwnKeys, server: str) -> None:
    """Make `socket` connect only to a server that proves its key, and encrypt everything."""
    socket.curve_serverkey = server.encode()
    socket.curve_publickey = own.public.encode()
    socket.curve_secretkey = own.secret.encode()


class Authenticator:
    """Answers zeromq's requests whether a client may connect (ZAP, RFC 27)."""

    def __init__(self, context: zmq.Context[Any], keys: KeyStore, refusals: Refusals) -> None:
        """Admit clients whose public keys are allowed in `keys`, also if added later."""
        self._keys = keys
        self._refusals = refusals
        self._allowed: Mapping[bytes, str] = {}
        self._read = float("-inf")
        self.socket = context.socket(zmq.REP)
        self.socket.linger = 0
        self.socket.bind(_ENDPOINT)

    def answer(self) -> None:
        """Answer all pending requests."""
        while True:
            try:
                asked = self.socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            name = self._name(asked)
            request = asked[1] if len(asked) > 1 else b""
            status = [b"400", b"not allowed", b""] if name is None else [b"200", b"", name.encode()]
            self.socket.send_multipart([b"1.0", request, *status, b""])

    def _name(self, asked: list[bytes]) -> str | None:
        """Return the name of the requesting host; None if it is unknown."""
        if len(asked) != 7 or asked[5] != b"CURVE" or len(asked[6]) != 32:
            return None
        key = asked[6]
        now = time.monotonic()
        if key not in self._allowed and now - self._read > _LOOK_AGAIN:
            self._read = now
            try:
                self._allowed = {z85.decode(k): name for name, k in self._keys.allowed().items()}
            except HoloflowError as error:
                self._refusals.add("key", str(error))
        name = self._allowed.get(key)
        if name is None:
            whose = asked[3].decode(errors="replace")
            self._refusals.add("key", f"{whose} has a key that is not allowed here")
        return name
