import pytest
import typer

from holoflow.cli.arguments import parse_metrics, parse_trace


def test_frames_to_trace():
    assert parse_trace("frames=1000") == 1000


@pytest.mark.parametrize(
    "text", ["1000", "frames=", "frames=0", "frames=-1", "frames=1e3", "frames=1000001", "all"]
)
def test_what_is_no_number_of_frames(text):
    with pytest.raises(typer.BadParameter, match="write frames=N") as caught:
        parse_trace(text)
    assert caught.value.param_hint == "--trace"


@pytest.mark.parametrize(
    ("text", "address", "port"),
    [
        ("9464", "127.0.0.1", 9464),
        ("0.0.0.0:9464", "0.0.0.0", 9464),
        ("edge-a:80", "edge-a", 80),
        ("[::1]:9464", "::1", 9464),
        ("0", "127.0.0.1", 0),
        ("65535", "127.0.0.1", 65535),
    ],
)
def test_where_to_serve_metrics(text, address, port):
    assert parse_metrics(text) == (address, port)


@pytest.mark.parametrize(
    "text", ["", "on", ":9464", "65536", "::1:9464", "0.0.0.0", "0.0.0.0:", "a b:1", "-1", "٣"]
)
def test_what_is_no_place_for_metrics(text):
    with pytest.raises(typer.BadParameter, match=r"such as 9464") as caught:
        parse_metrics(text)
    assert caught.value.param_hint == "--metrics"
