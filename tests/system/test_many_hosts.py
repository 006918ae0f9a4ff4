"""Apps over several hosts, with cables that are cut, hosts that fail, and strangers.

What else can go wrong there is among the faults (`support.faults`).
"""

from __future__ import annotations

import json
import random
import shlex
import signal
from subprocess import DEVNULL, PIPE

import pytest
from support.hosts import PATIENCE, REPOSITORY, Host
from support.numbered import FRAGMENTS, flows, mistakes
from support.trials import HOLOFLOW, Trial, introduce, keys

from holoflow.app import load
from holoflow.app.assets import fetch_all
from holoflow.cli.errors import ExitStatus

NAMES = ("edge", "server", "desk")
"""Hosts of the fragments `first`, `middle`, `last`."""


@pytest.fixture
def three(hosts):
    """Three hosts that do not know one another."""
    return hosts(*NAMES)


def trial(three, **app) -> Trial:
    """Return the numbered app, each of its fragments on a host of its own; it has not started."""
    return Trial(dict(zip(FRAGMENTS, three, strict=True)), random.Random(0), **app)


def check(over: Trial) -> None:
    """Check that all that was sent has come once, and that both hosts of each flow know it."""
    work, last = flows(over.report("middle"))
    assert mistakes(work, last, over.table()) == []
    assert work.lost == last.lost == 0
    for fragment, stats in (("first", work), ("last", last)):
        (there,) = over.report(fragment).flows
        assert (there.sent, there.delivered, there.lost) == (stats.sent, stats.delivered, 0)
    assert over.left() == over.unexpected() == []


def test_all_frames_come_once(three):
    introduce(*three)
    over = trial(three)
    over.start("last", "middle", "first")
    over.come(300)
    assert over.end() == 0, over.log
    check(over)


def test_cable_that_is_slow_holds_the_source_up(three):
    introduce(*three)
    over = trial(three, rate=5000)
    cable = three[2].cable
    cable.limit("1mbit")
    over.start(*FRAGMENTS)
    over.come(400)
    came = over.count()
    assert over.end() == 0, over.log
    check(over)
    # Without being held up it would have sent thousands by now.
    work, _ = flows(over.report("middle"))
    assert work.sent < came + 1000


def test_hosts_are_found_by_the_addresses_that_the_command_line_gives(three, tmp_path):
    introduce(*three)
    (tmp_path / "hosts").write_text("127.0.0.1 localhost\n")
    options = [word for host in three for word in ("--host", f"{host.name}={host.address}")]
    over = trial(three, options=options)
    over.start(*FRAGMENTS)
    over.come(50)
    assert over.end() == 0, over.log
    check(over)


def test_faces_over_three_hosts_are_those_of_one_process(three):
    fetch_all(load(REPOSITORY / "apps" / "faces" / "app.yaml"))
    introduce(*three)
    options = ["--lossless", "--no-web", "--output"]
    edge, server, desk = three
    with edge.popen([HOLOFLOW, "run", "faces", *options, "alone"], stdout=DEVNULL) as alone:
        assert alone.wait(PATIENCE) == 0
    places = {"SOURCE_HOST": edge.name, "DETECT_HOST": server.name, "VIEW_HOST": desk.name}
    programs = []
    for host, fragment in zip(three, ("source", "detect", "view"), strict=True):
        command = [HOLOFLOW, "run", "faces/apart", "--fragment", fragment, *options, "run"]
        with (host.home / "log").open("w") as log:
            programs.append(host.popen(command, env=places, stdout=log, stderr=log))
    for host, program in zip(three, programs, strict=True):
        assert program.wait(PATIENCE) == 0, (host.home / "log").read_text()
    expected = (edge.home / "alone" / "faces.jsonl").read_text().splitlines()
    found = (desk.home / "run" / "faces.jsonl").read_text().splitlines()
    assert len(expected) == 120
    for line, right in zip(found, expected, strict=True):
        assert json.loads(line) == json.loads(right)


@pytest.mark.parametrize("dies", FRAGMENTS)
def test_others_are_told_that_a_fragment_is_given_up(three, dies):
    introduce(*three)
    over = trial(three, fragments={"restart": "never"})
    over.start(*FRAGMENTS)
    over.come(50)
    over.signal(dies, signal.SIGKILL)
    assert over.statuses() == {
        host.name: ExitStatus.OPERATOR_FAILED if name == dies else 0
        for name, host in over.places.items()
    }, over.log
    work, last = flows(over.report("middle"))
    assert mistakes(work, last, over.table(), in_hand=1) == []
    assert over.left() == over.unexpected() == []


def test_others_are_told_of_one_that_has_failed_once_too_often(three):
    introduce(*three)
    over = trial(three, fragments={"restart": "on-failure", "restarts": 0})
    over.start(*FRAGMENTS)
    over.come(50)
    over.tell("middle", "raise")
    assert over.statuses() == {
        host.name: ExitStatus.OPERATOR_FAILED if name == "middle" else 0
        for name, host in over.places.items()
    }, over.log
    assert over.left() == over.unexpected() == []


@pytest.mark.parametrize("away", FRAGMENTS)
def test_asked_to_end_while_a_host_is_away(three, away):
    """Nobody waits for it for ever: what it has not confirmed is lost, and counted as that."""
    introduce(*three)
    over = trial(three)
    over.start(*FRAGMENTS)
    over.come(50)
    over.lose(away)
    for program in over.programs.values():
        program.send_signal(signal.SIGINT)
    left = {name for name in FRAGMENTS if name != away}
    assert set(over.statuses().values()) == {ExitStatus.INTERRUPTED}, over.log
    assert f"waiting for {away}" in over.log
    for fragment in left:
        report = over.report(fragment)
        assert all(f.sent == f.delivered + sum(f.dropped.values()) for f in report.flows)
        causes = {cause for stats in report.flows for cause in stats.dropped}
        assert causes <= {"crash", "end"}  # lost with the host; not worked off for want of it
    assert over.unexpected() == []


# -- strangers -------------------------------------------------------------------------------


def ended(over: Trial) -> dict[str, str]:
    """Wait until all launchers have ended for want of keys; return what each has said."""
    statuses = {name: program.wait(PATIENCE) for name, program in over.programs.items()}
    assert statuses == dict.fromkeys(NAMES, ExitStatus.APP_WRONG), over.log
    assert over.left() == []
    return {name: (host.home / "log").read_text() for name, host in over.hosts.items()}


def test_hosts_without_keys_are_told_how_to_get_some(three):
    over = trial(three)
    over.start(*FRAGMENTS)
    for said in ended(over).values():
        assert said.count("\n") == 1
        assert "create them with: holoflow keys new" in said


def run_all(*commands: tuple[Host, list[str]]) -> list[str]:
    """Run commands of `holoflow`, each on its host, at the same time; return what they print."""
    programs = [host.popen([HOLOFLOW, *words], stdout=PIPE) for host, words in commands]
    printed = [program.communicate(timeout=PATIENCE)[0] for program in programs]
    assert [program.returncode for program in programs] == [0] * len(programs)
    return printed


def test_what_the_commands_print_introduces_hosts(three):
    """From hosts that know nothing to an app that runs, by the commands that are printed."""
    made = run_all(*((host, ["keys", "new"]) for host in three))
    over = trial(three)
    over.start(*FRAGMENTS)
    edge, server, desk = ended(over).values()
    assert "holoflow keys allow server '" in edge
    assert "holoflow keys allow edge '" in server
    assert "holoflow keys allow server '" in desk
    commands = [shlex.split(text.splitlines()[-1]) for text in made]
    assert [words[:-1] for words in commands] == [
        ["holoflow", "keys", "allow", name] for name in NAMES
    ]
    neighbours = [(0, 1), (1, 0), (1, 2), (2, 1)]
    run_all(*((three[here], commands[there][1:]) for here, there in neighbours))
    over.start(*FRAGMENTS)
    over.come(20)
    assert over.end() == 0, over.log


def test_host_with_other_code_is_refused_and_told_which(three):
    introduce(*three)
    over = trial(three)
    with next((three[1].home / "app").glob("*.py")).open("a") as file:
        file.write("# an older one\n")
        named = file.name.rpartition("/")[2]
    over.start(*FRAGMENTS)
    said = over.places["first"].home / "log"
    over.wait("the refusal", lambda: f"differs from the one here in {named};" in said.read_text())
    assert over.count() == 0
    for program in over.programs.values():
        program.send_signal(signal.SIGINT)
    for program in over.programs.values():
        assert program.wait(PATIENCE) == ExitStatus.INTERRUPTED
    assert over.left() == []


@pytest.mark.parametrize(
    ("host", "fragment", "words"),
    [
        (0, "first", "allow it there with the command that `holoflow keys show` prints here"),
        (1, "middle", "allow it there with the command that `holoflow keys show` prints here"),
    ],
)
def test_host_with_another_key_is_refused(three, host, fragment, words):
    introduce(*three)
    keys(three[host]).create(NAMES[host], force=True)
    over = trial(three)
    over.start(*FRAGMENTS)
    refused = over.places[fragment].home / "log"
    over.wait("the refusal", lambda: words in refused.read_text())
    assert over.count() == 0
    for program in over.programs.values():
        program.send_signal(signal.SIGINT)
    for program in over.programs.values():
        assert program.wait(PATIENCE) == ExitStatus.INTERRUPTED
    assert over.count() == 0
    assert over.left() == []
