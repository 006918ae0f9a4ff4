"""ZeroMQ by hand: PUSH to PULL, with as little copied as pyzmq allows."""

from __future__ import annotations

import json
import time

import numpy as np
import zmq

from rivals.frames import Source
from rivals.job import Job
from rivals.meter import Meter

UNDER_WAY = 4
"""Messages that either side may hold."""


def receive(job: Job) -> None:
    """Bind, and take what comes: views of ZeroMQ's own memory."""
    meter = Meter(job)
    with zmq.Context() as context, context.socket(zmq.PULL) as socket:
        socket.rcvhwm = UNDER_WAY
        key = ""
        if job.variant == "tcp+curve":
            public, socket.curve_secretkey = zmq.curve_keypair()
            socket.curve_publickey, socket.curve_server = public, True
            key = public.decode()
        where = f"ipc://{job.folder}/socket" if job.variant == "ipc" else "tcp://127.0.0.1:*"
        socket.bind(where)
        _announce(job, socket.getsockopt_string(zmq.LAST_ENDPOINT), key)
        while meter.saw(np.frombuffer(socket.recv(copy=False).buffer, np.uint8)):
            pass


def send(job: Job) -> None:
    """Connect, and send arrays in turn: what is large is read by ZeroMQ's thread where it lies."""
    address, key = _find(job)
    with zmq.Context() as context, context.socket(zmq.PUSH) as socket:
        socket.sndhwm = UNDER_WAY
        socket.linger = 0
        socket.sndtimeo = 1000  # the receiver may have left
        if key:
            socket.curve_publickey, socket.curve_secretkey = zmq.curve_keypair()
            socket.curve_serverkey = key.encode()
        socket.connect(address)
        source = Source(job)
        for array in source.frames():
            try:
                socket.send(memoryview(array), copy=False)
            except zmq.Again:
                break


def _announce(job: Job, address: str, key: str) -> None:
    part = job.path / "address.part"
    part.write_text(json.dumps([address, key]))
    part.rename(job.path / "address")


def _find(job: Job) -> tuple[str, str]:
    file = job.path / "address"
    while not file.exists():
        time.sleep(0.01)
    address, key = json.loads(file.read_text())
    return address, key
