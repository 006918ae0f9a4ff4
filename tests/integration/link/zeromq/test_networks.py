"""Networks that break, stall, and are slow: nothing is lost, nothing comes twice."""

import random
import threading
import time

import pytest
from support import pairs
from support.ends import eventually
from support.pairs import Pair
from support.relay import Relay

from holoflow.link.zeromq import Timing
from holoflow.stats.counters import SENT, dropped, lost, waiting

ALERT = Timing(heartbeat=0.05, silence=0.5, retry=0.005, refused=0.1, orphaned=30.0)


@pytest.fixture(autouse=True)
def alert(monkeypatch):
    monkeypatch.setattr(pairs, "QUICK", ALERT)


@pytest.fixture(params=["tcp", "curve"])
def kind(request):
    return request.param


@pytest.fixture(params=[False, True], ids=["woken", "notifiers"])
def joined(request, tmp_path, kind):
    """Return a function that joins two fragments through a relay: (pair, relay, sender, got)."""
    opened = []

    def make(**flow):
        pair = Pair(tmp_path, kind, notifiers=request.param, **flow)
        opened.append(pair)
        got = []
        pair.start_screen(lambda number, head, buffers: got.append((int(head), *buffers)))
        pair.screen.accept()
        relay = Relay(int(pair.endpoint.rpartition(":")[2]))
        relay.__enter__()
        opened.append(relay)
        pair.port = relay.port
        return pair, relay, pair.start_edge(), got

    yield make
    for thing in opened:
        thing.__exit__(None, None, None)


def trouble(relay, chance, breaks):
    """Do something to the network every now and then."""
    for _ in range(breaks):
        time.sleep(chance.uniform(0.001, 0.05))
        what = chance.random()
        if what < 0.7:
            relay.cut()
        elif what < 0.85:
            relay.refuse()
            time.sleep(chance.uniform(0.001, 0.1))
            relay.accept()
        else:
            relay.delay = chance.uniform(0, 0.02)
    relay.delay = 0.0


@pytest.mark.parametrize("seed", range(3))
def test_each_message_arrives_once_though_connections_break(joined, seed):
    pair, relay, sender, got = joined(queue=5)
    chance = random.Random(seed)
    sizes = [10, 1000, 20_000, 300_000]
    breaking = threading.Thread(target=trouble, args=(relay, chance, 30))
    breaking.start()
    sent = 0
    while breaking.is_alive() or sent < 100:
        sender.send(b"%d" % sent, bytes([sent % 251]) * sizes[sent % 4])
        sent += 1
    breaking.join()
    sender.outlet.close()
    eventually(pair.stages[0].ended.is_set)
    eventually(lambda: waiting(pair.blocks[1]) == 0)
    assert [number for number, _ in got] == list(range(sent))
    assert all(bytes(b) == bytes([n % 251]) * sizes[n % 4] for n, b in got)
    assert lost(pair.blocks[1]) == 0
    assert relay.accepted > 5


@pytest.mark.parametrize("when_full", ["drop_oldest", "drop_newest"])
def test_what_drops_goes_on_and_its_books_add_up(joined, when_full):
    pair, relay, sender, got = joined(queue=3, when_full=when_full)
    breaking = threading.Thread(target=trouble, args=(relay, random.Random(7), 20))
    breaking.start()
    sent = 0
    while breaking.is_alive():
        sender.send(b"%d" % sent, bytes(10_000))
        sent += 1
        time.sleep(0.0005)
    breaking.join()
    sender.outlet.close()
    eventually(pair.stages[0].ended.is_set)
    eventually(lambda: waiting(pair.blocks[1]) == 0)
    numbers = [number for number, _ in got]
    assert numbers == sorted(set(numbers))
    assert pair.blocks[1][SENT] == sent == len(got) + lost(pair.blocks[1])
    assert set(dropped(pair.blocks[1])) <= {"full"}


def test_a_cable_that_is_cut_is_noticed_and_forgotten(joined):
    pair, relay, sender, got = joined(queue=4)
    sender.send(b"0")
    eventually(lambda: waiting(pair.blocks[0]) == 0)
    relay.freeze()
    for number in range(1, 5):
        sender.send(b"%d" % number)
    eventually(pair.edge.waits_for)
    assert not sender.room()
    relay.thaw()
    eventually(lambda: [number for number, *_ in got] == list(range(5)))
    assert lost(pair.blocks[1]) == 0
    eventually(lambda: not pair.edge.waits_for())


def test_a_large_message_gets_through_a_slow_network(joined):
    """It takes longer than a peer may be silent; were it broken off, it would never arrive."""
    _, relay, sender, got = joined()
    relay.rate = 1_500_000
    sender.send(b"0", bytes(3_000_000))
    eventually(lambda: got)
    assert len(bytes(got[0][1])) == 3_000_000


def test_an_end_is_told_although_it_was_lost(joined):
    pair, relay, sender, got = joined()
    sender.send(b"0")
    eventually(lambda: got)
    relay.refuse()
    sender.outlet.close()
    relay.accept()
    eventually(pair.stages[0].ended.is_set)
    pair.open.remove(pair.edge)
    pair.edge.close(20)
    assert not sender.outlet._connections[0].sending.awaited
