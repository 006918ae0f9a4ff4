"""Whether a run is live and ready, by what its processes say."""

import contextlib
import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest
from support.snapshots import faces

from holoflow.core.errors import HoloflowError
from holoflow.live import attach, sockets
from holoflow.live.health import RECENT, ask, judge
from holoflow.live.protocol import VERSION, Hello
from holoflow.live.publish import Publisher
from holoflow.live.sockets import SocketAddress


def hello(fragment="main", age=0.1, phases=None, app="faces", run="1", began=1.0):
    return Hello(VERSION, app, run, fragment, 4711, began, (), age, phases)


def silent(fragment, app="faces"):
    return {SocketAddress(Path("/run"), sockets.name(app, "1", fragment, 12)): "it does not answer"}


def test_one_process_that_shows_what_it_does_is_live_and_ready():
    found = judge("faces", [hello()], {})
    assert (found.live, found.ready, found.why) == (True, True, "")
    assert (found.app, found.run, found.phases, found.age) == (
        "faces",
        "1",
        {"main": "running"},
        0.1,
    )


def test_one_whose_sources_wait_is_live_and_not_ready():
    found = judge(None, [hello(age=None)], {})
    assert (found.live, found.ready, found.why) == (True, False, "main is starting")
    assert found.age is None


def test_one_that_no_longer_shows_what_it_does_is_not_live():
    found = judge("faces", [hello(age=RECENT + 5)], {})
    assert not found.live
    assert not found.ready
    assert found.why == "main (process 4711) has not published its state for 15 s"
    assert judge("faces", [hello(age=RECENT)], {}).live


def test_one_in_which_a_call_is_stuck_is_not_live():
    stuck = replace(hello(), trouble="detect has been at work on frame 60 of camera for 12 s")
    found = judge("faces", [stuck], {})
    assert (found.live, found.ready) == (False, False)
    assert found.why == "detect has been at work on frame 60 of camera for 12 s"


def test_a_launcher_says_which_fragments_are_waited_for():
    parts = [hello("edge"), hello("view", age=None)]
    leader = hello("launcher", phases={"edge": "running", "view": "starting"})
    assert judge("faces", [*parts, leader], {}).why == "view is starting"
    leader = hello("launcher", phases={"edge": "again", "view": "running"})
    found = judge("faces", [leader, hello("view")], {})
    assert (found.live, found.ready, found.why) == (True, False, "edge is to be restarted")
    leader = hello("launcher", phases={"edge": "ended", "view": "running"})
    assert judge("faces", [leader, hello("view")], {}).ready


def test_a_launcher_that_does_not_answer_is_not_live():
    found = judge("faces", [hello("edge"), hello("view")], silent("launcher"))
    assert (found.live, found.ready) == (False, False)
    assert found.why == "launcher (process 12): it does not answer"


def test_a_fragment_may_be_silent_while_it_starts():
    starting = hello("launcher", phases={"edge": "starting"})
    assert judge("faces", [starting], silent("edge")).live
    running = hello("launcher", phases={"edge": "running"})
    assert not judge("faces", [running], silent("edge")).live
    assert judge("faces", [running], silent("edge", app="hello")).live


def test_the_newest_run_is_meant():
    old, new = hello(run="1", age=99.0), hello(run="2", began=2.0)
    assert judge("faces", [new, old], {}).run == "2"
    assert judge("faces", [old, new], {}).live


def test_nothing_runs():
    assert judge("faces", [], {}).why == "no run of faces is there"
    assert judge(None, [], {}).why == "no run is there"
    assert judge(None, [], silent("main")).why == "main (process 12): it does not answer"


def test_one_of_several_apps_is_named():
    with pytest.raises(HoloflowError, match="several apps run; name one of faces, hello"):
        judge(None, [hello(), hello(app="hello")], {})


# -- asked for real ---------------------------------------------------------------------------


def test_a_run_is_asked(place):
    assert not ask("faces").live
    with Publisher("faces", "a1b2c3", "main") as publisher:
        assert ask("faces").why == "main is starting"
        publisher.put(faces(1.0))
        assert ask("faces").ready
        assert ask(None).ready
        shown = faces(2.0)
        (stats,) = shown.fragments
        stuck = replace(stats, call="detect", call_frame="frame 60 of camera", call_for=12.0)
        publisher.put(replace(shown, fragments=(stuck,)))
        assert ask("faces").why == "detect has been at work on frame 60 of camera for 12 s"
        publisher.put(shown)
        assert ask("hello").why == "no run of hello is there"
    assert not ask("faces").live


def test_who_does_not_answer_is_not_waited_for(place, monkeypatch):
    monkeypatch.setattr(attach, "ANSWER", 0.1)
    monkeypatch.setattr(attach, "SCAN", 0.02)
    name = sockets.name("faces", "1", "main", os.getpid())
    with sockets.listen(SocketAddress(place, name)):  # nobody accepts
        assert "it does not answer" in ask("faces").why
        with contextlib.ExitStack() as stack:
            while True:  # until no more may wait
                line = socket.socket(socket.AF_UNIX)
                stack.enter_context(line)
                line.setblocking(False)
                try:
                    line.connect(str(place / name))
                except BlockingIOError:
                    break
            found = ask("faces")
        assert not found.live
        assert "too many connections wait there" in found.why


def test_nobody_takes_a_launcher_for_a_fragment(place):
    with (
        Publisher("faces", "a1b2c3", "launcher") as leader,
        Publisher("faces", "a1b2c3", "main") as main,
    ):
        leader.tell({"main": "running"})
        main.put(faces(1.0))
        assert ask("faces").phases == {"main": "running"}
        (run,) = attach.running()
        assert list(run.fragments) == ["main"]
