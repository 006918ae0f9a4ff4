from dataclasses import replace
from pathlib import Path

import pytest
from support.wires import planned

from holoflow.app.graph import Endpoint
from holoflow.core.errors import HoloflowError
from holoflow.link.zeromq import encrypted, on_host, on_network


def test_where_fragments_are_reached():
    assert on_host(Path("/run/x"), "left/eye") == "ipc:///run/x/left%2Feye.zmq"
    assert on_network("10.0.0.1", 7421) == "tcp://10.0.0.1:7421"
    assert on_network("fe80::1", 7421) == "tcp://[fe80::1]:7421"


def test_a_path_that_is_too_long_for_a_socket():
    with pytest.raises(HoloflowError, match="at most 107 bytes; give the fragment 'eye' a shorter"):
        on_host(Path("/" + "x" * 120), "eye")


def test_a_fragment_encrypts_all_or_nothing():
    secret = planned()
    plain = replace(secret, encrypt=False, source=Endpoint("lidar", "points"))
    assert encrypted("screen", [secret, secret])
    assert not encrypted("screen", [plain])
    assert not encrypted("screen", [])
    with pytest.raises(HoloflowError) as caught:
        encrypted("screen", [secret, plain])
    assert str(caught.value) == (
        "lidar.points -> view.image is not encrypted and camera.out -> view.image is, but both "
        "come to the fragment 'screen' from other hosts; write encrypt: false for all of them, or "
        "for none"
    )
