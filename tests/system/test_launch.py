"""Apps of several processes, and what goes wrong with them."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
from support.launched import (
    APART,
    CIRCLE,
    DEALT,
    DIAMOND,
    JOINED,
    Launched,
    children,
    many,
    read,
    wait_for,
)

ENGINE = ("--engine", "inline")


@pytest.fixture
def launched(tmp_path):
    """Start `holoflow run`; whatever is left of it afterwards is killed."""
    started = []

    def start(app, *options, engine=ENGINE, **variables):
        run = Launched(tmp_path / f"app{len(started)}", app, *engine, *options, **variables)
        started.append(run)
        return run

    yield start
    for run in started:
        run.__exit__()


def ended(number: int) -> bool:
    """Whether a process has ended, though nobody has taken note of it."""
    return read(number, "stat").rpartition(b")")[2].split()[0] == b"Z"


def reaper(run: Launched) -> int:
    """Return the process that ends what is left of a run whose launcher has died."""
    (number,) = [n for n in children(run.pid) if b"reaper" in read(n, "cmdline")]
    return number


ENGINES = [ENGINE, pytest.param((), marks=pytest.mark.holoscan)]


@pytest.mark.parametrize("engine", ENGINES, ids=["inline", "holoscan"])
def test_each_fragment_has_a_process_of_its_own(launched, engine):
    run = launched(APART, engine=engine, wait="true")
    run.until("[ill] keep starts")
    run.until("[well] kept starts")
    run.until("[ill] warning keep: the first")
    processes = run.processes()
    assert set(processes) == {"well", "ill"}
    for number in processes.values():
        assert os.getpgid(number) == os.getsid(number) == number
    run.output.joinpath("go").touch()
    assert run.end() == 0, run
    report = run.report()
    assert report["outcome"] == "done"
    assert {b["name"]: b["pid"] for b in report["snapshot"]["fragments"]} == processes
    assert [b["frames"] for b in report["snapshot"]["operators"]] == [40] * 5
    assert {name: (b["sent"], b["dropped"]) for name, b in run.flows().items()} == {
        "good -> kept": (40, {}), "count -> work": (40, {}), "work -> keep": (40, {}),
    }  # fmt: skip
    assert run.kept() == run.kept("kept") == list(range(1, 41))
    assert report["history"]
    assert run.left() == []


WORDS = {
    "kill": "its process was killed by SIGKILL",
    "fail": "operator 'work_fail' of fragment 'fail' failed on frame 4 of count_fail: ValueError",
    "leak": "B of memory, but may use 400 MB",
    "exit": "its process ended with exit status 3",
    "leave": "its process was killed by SIGKILL",
    "crash": "its process was killed by SIGSEGV",
    "freeze": "it hangs: it has sent nothing for",
    "hang": "it hangs: work_hang has been at work on frame 4 of count_hang for",
    "hold": "it hangs: it has sent nothing for",
}


@pytest.mark.parametrize(
    ("faults", "hang"),
    [(["kill", "fail", "leak"], "1min"), (["exit", "leave", "crash"], "1min"),
     (["freeze", "hang", "hold"], "5s")],
    ids=["died", "ended", "hung"],
)  # fmt: skip
def test_fragments_that_go_wrong_once_come_back_and_the_others_go_on(launched, faults, hang):
    run = launched(many(faults, hang))
    assert run.end() == 0, run
    assert run.report()["outcome"] == "done"
    assert run.restarts() == {"none": 0, **dict.fromkeys(faults, 1)}
    flows = run.flows()
    assert run.kept("keep_none") == list(range(1, 21))
    for fault in faults:
        assert any(line.startswith(f"[{fault}]") and WORDS[fault] in line for line in run.said)
        kept = run.kept(f"keep_{fault}")
        again = kept.index(1, 1)
        assert kept[:again] == list(range(1, again + 1))
        assert again <= (5 if fault == "freeze" else 4), "the fifth went wrong"
        assert kept[again:] == list(range(1, 21))
        ways_in, way_out = (
            flows[f"count_{fault} -> work_{fault}"],
            flows[f"work_{fault} -> keep_{fault}"],
        )
        # A process that is stopped may stop between a call's end and its being counted.
        uncounted = 1 if fault == "freeze" else 0
        assert 0 <= len(kept) - way_out["delivered"] <= uncounted
        assert 0 <= way_out["sent"] - ways_in["delivered"] <= uncounted
        assert set(ways_in["dropped"]) <= {"crash", "error", "stopped"}
    assert run.left() == []


@pytest.mark.parametrize("fault", ["fail", "kill"])
@pytest.mark.parametrize("restart", ["never", "on-failure"])
def test_a_fragment_that_does_not_come_back_fails_the_run_and_drains_the_rest(
    launched, fault, restart
):
    app = APART.replace("hang: 5s", "hang: 5s, restarts: 1") if restart != "never" else APART
    run = launched(app, fault=fault, again="true", restart=restart, until=0)
    assert run.end() == 1, run
    assert run.restarts() == {"well": 0, "ill": 0 if restart == "never" else 1}
    report = run.report()
    assert report["outcome"] == "failed"
    assert "fragment 'ill' failed" in report["failure"]
    assert (run.output / "error.log").exists() == (fault == "fail")
    assert run.flows()["good -> kept"]["dropped"] == {}
    assert run.left() == []


def test_an_operator_that_cannot_start_is_tried_again_before_any_source_begins(launched):
    app = APART.replace("hang: 5s", "hang: 5s, restarts: 2")
    run = launched(app, fault="start")
    assert run.end() == 1, run
    assert run.restarts() == {"well": 0, "ill": 2}
    assert run.report()["failure"] == (
        "operator 'work' of fragment 'ill' failed on start: ValueError: no model"
    )
    assert not (run.output / "kept.txt").read_text()
    assert run.left() == []


def test_an_app_that_cannot_run_there_is_said_with_the_fragment(launched):
    placed = "well: {operators: [good, kept], environment: {LACKING: 1}}"
    run = launched(APART.replace("well: {operators: [good, kept]}", placed), wait="true")
    assert run.end() == 2, run
    run.until("fragment 'well': app.yaml:")
    run.until("there is no camera here")
    assert not run.output.joinpath("report.json").exists()


def test_a_fragment_whose_operator_leaves_a_thread_behind_ends_well(launched):
    run = launched(APART, fault="linger")
    assert run.end() == 0, run
    run.until("[ill] not waited for any longer: thread left")
    assert not any("killed" in line for line in run.said)
    run.flows()
    assert run.left() == []


@pytest.mark.parametrize("link", ["shared_memory", "zeromq"])
def test_a_run_in_which_no_process_can_go_on_ends_and_says_who_waits_for_what(launched, link):
    run = launched(CIRCLE, link=link)
    assert run.end() == 1, run
    run.until("operator 'answer' failed: the app is stalled, no operator can go on")
    run.until("'ask' waits for room in the queue of answer.number")
    run.until("'answer' waits for room in the queue of ask.answer")
    assert run.report()["outcome"] == "failed"
    run.flows()
    assert run.left() == []


@pytest.mark.parametrize("link", ["shared_memory", "zeromq"])
def test_a_join_goes_on_without_what_a_crash_took_from_one_of_its_inputs(launched, link):
    run = launched(DIAMOND, link=link)
    assert run.end() == 0, run
    assert run.restarts() == {"feed": 0, "ill": 1, "view": 0}
    pairs = [line.split() for line in (run.output / "pair.txt").read_text().splitlines()]
    numbers = [int(number) for number, _ in pairs]
    assert all(number == worked for number, worked in pairs)
    assert numbers == sorted(set(numbers))
    assert numbers[-1] == 200
    flows = run.flows()
    taken = sum(flows["count -> work"]["dropped"].values())
    assert flows["count -> pair"]["dropped"] == {"unpaired": 200 - len(pairs)}
    assert len(pairs) == flows["work -> pair.worked"]["delivered"] >= 200 - taken - 1
    assert run.left() == []


@pytest.mark.parametrize("link", ["shared_memory", "zeromq"])
def test_frames_are_gathered_in_order_without_what_a_crash_took(launched, link):
    run = launched(DEALT, link=link)
    assert run.end() == 0, run
    assert run.restarts() == {"feed": 0, "ill": 1, "view": 0}
    kept = run.kept()
    assert kept == sorted(set(kept))
    taken = sum(sum(stats["dropped"].values()) for stats in run.flows().values())
    assert 1 <= 200 - len(kept) <= taken + 1
    assert set(range(1, 201)) - set(kept) <= set(range(2, 201, 2))
    assert kept[-2:] == [199, 200]
    assert run.left() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_the_first_signal_drains(launched, number):
    run = launched(APART, until=0)
    run.until("warning keep: the first")
    run.until("warning kept: the first")
    run.processes()
    run.signal(number)
    assert run.end() == 130, run
    assert run.report()["outcome"] == "interrupted"
    flows = run.flows()
    assert all(stats["dropped"] == {} for stats in flows.values())
    assert len(run.kept()) == flows["work -> keep"]["sent"]
    assert run.left() == []


def test_a_signal_counts_although_all_has_ended_before_it_is_heard(launched):
    run = launched(APART, wait="true")
    run.until("warning keep: the first")
    processes = run.processes()
    run.signal(signal.SIGSTOP)
    run.signal(signal.SIGINT)
    run.output.joinpath("go").touch()
    wait_for(lambda: all(map(ended, processes.values())))
    run.signal(signal.SIGCONT)
    assert run.end() == 130, run
    assert run.report()["outcome"] == "interrupted"
    assert run.kept() == list(range(1, 41))


def test_a_signal_to_the_whole_group_is_the_launchers_affair(launched):
    run = launched(APART, until=0)
    run.until("warning keep: the first")
    for number in run.processes().values():
        os.kill(number, signal.SIGTERM)
        os.kill(number, signal.SIGINT)
        os.kill(number, signal.SIGHUP)
    run.signal(signal.SIGTERM)
    assert run.end() == 130, run
    assert run.restarts() == {"well": 0, "ill": 0}


def test_the_second_signal_ends_what_hangs(launched):
    run = launched(APART.replace("hang: 5s", "hang: 1h"), fault="hang", until=0)
    run.until("[ill] hanging")
    run.processes()
    for said in ("draining", "stopping now"):
        run.signal(signal.SIGINT)
        run.until(said)
    assert run.end() == 130, run
    assert run.report()["outcome"] == "interrupted"
    run.flows()
    assert run.left() == []


def test_the_third_signal_ends_all_at_once(launched):
    run = launched(APART.replace("hang: 5s", "hang: 1h"), fault="hang", until=0)
    run.until("[ill] hanging")
    run.processes()
    for said in ("draining", "stopping now"):
        run.signal(signal.SIGINT)
        run.until(said)
    run.signal(signal.SIGINT)
    assert run.end() == 130, run
    wait_for(lambda: run.left() == [])


@pytest.mark.parametrize("fault", ["none", "hang", "freeze"])
def test_nothing_outlives_a_launcher_that_is_killed(launched, fault):
    run = launched(APART.replace("hang: 5s", "hang: 1h"), fault=fault, until=0)
    run.until("warning keep: the first")
    run.processes()
    run.signal(signal.SIGKILL)
    assert run.end() == -signal.SIGKILL
    wait_for(lambda: run.left() == [])


def test_no_process_that_hides_outlives_a_launcher_that_is_killed(launched):
    run = launched(APART, fault="hide", until=0)
    run.until("[ill] hidden")
    (hidden,) = (int(line.split()[-1]) for line in run.said if "hidden" in line)
    run.processes()
    run.signal(signal.SIGKILL)
    run.end()
    wait_for(lambda: run.left() == [] and not Path(f"/proc/{hidden}").exists())


def test_a_run_ends_well_although_its_reaper_was_killed(launched):
    run = launched(APART, wait="true")
    run.until("warning keep: the first")
    os.kill(reaper(run), signal.SIGKILL)
    run.output.joinpath("go").touch()
    assert run.end() == 0, run
    assert run.kept() == list(range(1, 41))
    assert run.left() == []


def test_what_a_killed_run_has_left_the_next_one_removes(launched):
    first = launched(APART, until=0)
    first.until("warning keep: the first")
    first.processes()
    os.kill(reaper(first), signal.SIGKILL)
    first.signal(signal.SIGKILL)
    first.end()
    wait_for(lambda: not [what for what in first.left() if what.startswith("process")])
    assert first.left() != []
    assert launched(APART, until=1).end() == 0
    assert first.left() == []


def test_a_fragment_gets_its_place(launched):
    core = min(os.sched_getaffinity(0))
    placed = f"well: {{operators: [good, kept], cores: [{core}], environment: {{SOME_WORD: yes}}}}"
    run = launched(APART.replace("well: {operators: [good, kept]}", placed), wait="true")
    run.until("warning kept: the first")
    well, ill = (run.processes()[name] for name in ("well", "ill"))
    assert os.sched_getaffinity(well) == {core}
    assert os.sched_getaffinity(ill) == os.sched_getaffinity(0)
    words = [b"SOME_WORD=yes" in read(n, "environ") for n in (well, ill)]
    assert words == [True, False]
    run.output.joinpath("go").touch()
    assert run.end() == 0, run


def test_an_app_reads_the_same_in_all_fragments_whatever_their_environment(launched):
    placed = "well: {operators: [good, kept], environment: {UNTIL: 3}}"
    app = APART.replace("well: {operators: [good, kept]}", placed)
    app = app.replace('until: "40"', 'until: "${UNTIL:-7}"')
    run = launched(app)
    assert run.end() == 0, run
    assert len(run.kept()) == len(run.kept("kept")) == 7


def test_lines_for_machines_name_the_fragment(launched):
    run = launched(APART, "--json")
    assert run.end() == 0, run
    events = [json.loads(line) for line in run.said]
    logged = [e for e in events if e["event"] == "log" and e["text"] == "the first"]
    assert sorted((e["fragment"], e["from"], e["level"]) for e in logged) == [
        ("ill", "keep", "warning"), ("well", "kept", "warning"),
    ]  # fmt: skip
    printed = {(e["fragment"], e["text"]) for e in events if e["event"] == "log" and not e["from"]}
    assert ("ill", "keep starts") in printed
    assert events[-1]["restarts"] == {"well": 0, "ill": 0}


def test_one_fragment_alone(launched):
    run = launched(APART, "--fragment", "well")
    assert run.end() == 0, run
    assert [b["name"] for b in run.report()["snapshot"]["fragments"]] == ["well"]
    assert not (run.output / "keep.txt").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--fragment", "wel"], "apart has no fragment 'wel'; did you mean 'well'?"),
        (["--fragment", "well", "--together"], "--fragment runs fragments in processes"),
        (["--host", "edge=10.0.0.1"], "unknown host 'edge'"),
    ],
)
def test_options_that_make_no_sense(launched, options, words):
    run = launched(APART, *options)
    assert run.end() == 2, run
    assert words in " ".join(str(run).replace("│", "").split())


def test_a_run_for_a_time_is_not_begun_again(launched):
    run = launched(APART.replace("${restart}", "always"), "--for", "1s", until=0)
    assert run.end() == 0, run
    assert run.restarts() == {"well": 0, "ill": 0}
    assert run.report()["outcome"] == "done"
    assert run.report()["snapshot"]["seconds"] < 30


def test_what_always_comes_back_ends_when_it_is_asked_to(launched):
    app = APART.replace("${restart}", "always").replace("well: {", "well: {restart: always, ")
    run = launched(app, until=3)
    run.until("[ill] warning holoflow.launch: it has ended; it is restarted", 2)
    run.signal(signal.SIGINT)
    assert run.end() in (0, 130), run
    assert run.restarts()["ill"] >= 1
    assert run.kept()[:6] == [1, 2, 3] * 2
    assert run.flows()["count -> work"]["dropped"] == {}


def test_a_budget_can_end_all_fragments(launched):
    budget = "\nbudgets: [{from: count, to: keep, max: 1us, when_missed: stop}]\n"
    run = launched(JOINED + budget, until=0)
    assert run.end() == 3, run
    assert run.report()["outcome"] == "done"
    assert run.flows()["work -> keep"]["dropped"] == {}


def test_all_together_in_one_process(launched):
    run = launched(APART, "--together")
    assert run.end() == 0, run
    (stats,) = run.report()["snapshot"]["fragments"]
    assert stats["pid"] == run.pid


@pytest.mark.parametrize("link", ["shared_memory", "zeromq"])
def test_fragments_in_a_row(launched, link):
    run = launched(JOINED, link=link)
    assert run.end() == 0, run
    assert run.kept() == list(range(1, 41))
    assert {name: (b["sent"], b["dropped"], b["link"]) for name, b in run.flows().items()} == {
        "count -> work": (40, {}, link), "work -> keep": (40, {}, link),
    }  # fmt: skip
    (path,) = run.report()["snapshot"]["paths"]
    assert path["end_to_end"]["count"] == 40
    assert run.left() == []


@pytest.mark.parametrize(
    ("link", "fault"),
    [
        ("shared_memory", "kill"),
        ("shared_memory", "fail"),
        ("zeromq", "kill"),
        ("zeromq", "freeze"),
    ],
)
def test_the_middle_one_goes_wrong_and_comes_back(launched, link, fault):
    run = launched(JOINED, link=link, fault=fault)
    assert run.end() == 0, run
    assert run.restarts() == {"feed": 0, "ill": 1, "sink": 0}
    flows = run.flows()
    kept = run.kept()
    assert kept == sorted(set(kept))
    assert flows["count -> work"]["sent"] == 40
    lost = {**flows["count -> work"]["dropped"], **flows["work -> keep"]["dropped"]}
    assert set(lost) <= {"crash", "error"}
    assert len(kept) == flows["work -> keep"]["delivered"]
    if link == "zeromq":
        assert set(range(1, 41)) - set(kept) <= {5, 4}
    assert run.left() == []


@pytest.mark.parametrize("link", ["shared_memory", "zeromq"])
@pytest.mark.parametrize("lacks", ["no_files", "no_threads"])
def test_where_the_system_lacks_something_no_stream_ends(launched, link, lacks):
    run = launched(JOINED, link=link, fault=lacks)
    assert run.end() == 0, run
    assert run.restarts() == {"feed": 0, "ill": 1, "sink": 0}
    flows = run.flows()
    kept = run.kept()
    assert flows["count -> work"]["sent"] == 40
    assert set(flows["count -> work"]["dropped"]) <= {"crash"}
    assert flows["work -> keep"]["dropped"] == {}
    assert len(kept) == flows["count -> work"]["delivered"] >= 30
    assert run.left() == []


@pytest.mark.parametrize("link", ["shared_memory", "zeromq"])
def test_the_middle_one_goes_wrong_for_good(launched, link):
    run = launched(JOINED, link=link, fault="kill", restart="never", until=0)
    assert run.end() == 1, run
    run.flows()
    assert run.left() == []
