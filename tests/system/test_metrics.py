"""The metrics endpoint, asked over HTTP as Prometheus would."""

import contextlib
import socket
import threading
import urllib.error
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import pytest
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families
from support.snapshots import faces

from holoflow.core.errors import HoloflowError
from holoflow.report.export.metrics_server import MetricsServer


@pytest.fixture
def server():
    with MetricsServer(port=0) as server:
        yield server


def get(url, **headers):
    """Return the type and the text of what is there."""
    with urlopen(Request(url, headers=headers), timeout=300) as answer:
        return answer.headers["Content-Type"], answer.read().decode()


def test_only_this_machine_reaches_it(server):
    assert server.url.startswith("http://127.0.0.1:")


def test_the_newest_snapshot_is_served(server):
    assert "holoflow_run_info" not in get(server.url)[1]
    server.put(faces(10.0))
    assert "holoflow_run_age_seconds 10.0" in get(server.url)[1]
    server.put(faces(20.0))
    assert "holoflow_run_age_seconds 20.0" in get(server.url)[1]


def test_the_format_is_what_the_client_asks_for(server):
    server.put(faces())
    kind, text = get(server.url)
    assert kind.startswith("text/plain;")
    assert len(list(text_string_to_metric_families(text))) > 20
    kind, text = get(server.url, Accept="application/openmetrics-text; version=1.0.0")
    assert kind.startswith("application/openmetrics-text; version=1.0.0")
    assert len(list(openmetrics.text_string_to_metric_families(text))) > 20


def test_there_is_nothing_else(server):
    with pytest.raises(urllib.error.HTTPError) as caught:
        get(server.url.replace("/metrics", "/"))
    assert caught.value.code == 404
    assert caught.value.read() == b"the metrics are at /metrics\n"


def test_who_never_asks_holds_nobody_up(server, capfd):
    address = ("127.0.0.1", int(server.url.split(":")[2].split("/")[0]))
    with socket.create_connection(address), socket.create_connection(address) as rude:
        rude.sendall(b"GET /metr")
        server.put(faces())
        assert "holoflow_run_info" in get(server.url)[1]
    assert capfd.readouterr() == ("", "")


def test_many_who_are_silent_have_few_threads(server):
    server.put(faces())
    at = urlsplit(server.url)
    before = threading.active_count()
    with contextlib.ExitStack() as stack:
        for _ in range(100):
            stack.enter_context(socket.create_connection((at.hostname, at.port)))
        assert "holoflow_run_info" in get(server.url)[1]
        assert threading.active_count() < before + 60


def test_many_may_ask_at_once(server):
    server.put(faces())
    found = []
    threads = [threading.Thread(target=lambda: found.append(get(server.url))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(300)
    assert len(found) == 8
    assert len(set(found)) == 1


def test_a_port_that_is_taken_is_said(server):
    port = int(server.url.split(":")[2].split("/")[0])
    with pytest.raises(
        HoloflowError, match=rf"metrics: port {port} of 127.0.0.1 is taken; give another, such as"
    ):
        MetricsServer(port=port)


@pytest.mark.parametrize("address", ["203.0.113.1", "no.such.host.invalid"])
def test_an_address_of_somebody_else_is_said(address):
    with pytest.raises(HoloflowError, match=rf"metrics: cannot listen at {address}, port 0: \w+"):
        MetricsServer(address, 0)


def test_ended_it_leaves_nothing():
    server = MetricsServer(port=0)
    port = int(server.url.split(":")[2].split("/")[0])
    server.close()
    assert not any(thread.name == "metrics" for thread in threading.enumerate())
    with MetricsServer(port=port) as again:
        assert str(port) in again.url


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here")
def test_other_kinds_of_addresses():
    try:
        server = MetricsServer("::1", 0)
    except HoloflowError as error:
        pytest.skip(f"no IPv6 here: {error}")
    with server:
        server.put(faces())
        assert server.url.startswith("http://[::1]:")
        assert "holoflow_run_info" in get(server.url)[1]
