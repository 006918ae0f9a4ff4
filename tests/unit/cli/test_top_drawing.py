"""The picture that top shows, line by line."""

import io
from dataclasses import replace

import pytest
from rich.console import Console
from support.snapshots import faces, flow, operator, path

from holoflow.cli.top_drawing import draw
from holoflow.cli.top_output import line
from holoflow.cli.top_view import view
from holoflow.live.state import FragmentState, LiveState
from holoflow.stats.difference import difference
from holoflow.stats.snapshot import Step

ALIVE = {"main": FragmentState(4711, True, 0.25)}


def shown(state, recent=None, *, width=80, height=24, hint="", colours=None):
    page = io.StringIO()
    console = Console(
        file=page, width=width, color_system=colours, force_terminal=colours is not None
    )
    recent = state.snapshot if recent is None else recent
    console.print(draw(view(state, recent), width, height, hint))
    return [text.rstrip() for text in page.getvalue().splitlines()]


def live(snapshot, **others):
    return replace(LiveState("live", snapshot.app, snapshot.run, snapshot, ALIVE), **others)


def test_all_of_it_in_80_columns():
    lines = shown(live(faces()), hint="q leaves")
    assert lines[0] == "faces  live  10 s  30 frames/s  since it began, times in ms  q leaves"
    assert lines[1] == "live page: http://127.0.0.1:8350/"
    assert lines[3].split() == [
        "operator", "in/s", "busy", "work", "p50", "work", "p99", "queue", "waits", "dropped",
    ]  # fmt: skip
    assert lines[5].split()[:6] == ["detect", "30.0", "█████▋", "93%", "30.5", "39.6"]
    assert lines[5].split()[6:] == ["2/2", "turn", "60.0", "0"]
    assert lines[6].endswith("0/6  worker 0.100  10 full")
    assert lines[9].split() == [
        "path", "out/s", "p50", "p99", "max", "limit",
    ]  # fmt: skip
    assert lines[10].startswith("▶  camera → detect → overlay → screen   30.0 ")
    assert lines[10].endswith("p99 50.0")
    assert lines[11].startswith("   camera → overlay → screen ")
    assert lines[13] == (
        "budget camera → screen: p99 120 ms, limit p99 50 ms; missed 18 of 20 times"
    )
    assert lines[14].startswith("detect works 31 ms of each 33.3 ms")
    assert lines[-2].startswith("would help: ")
    assert lines[-1] == "workers:  worker 1 95%  worker 2 19%"
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("width", [1, 5, 20, 40, 60, 80, 200])
@pytest.mark.parametrize("height", [1, 5, 12, 24, 50])
def test_any_terminal_holds_it(width, height):
    lines = shown(live(faces()), width=width, height=height)
    assert max(map(len, lines)) <= width
    # Two tables of one row each, and a line above them, is the least.
    assert len(lines) <= max(height, 8)


def many(count):
    """A fan of so many operators, each the end of a path."""
    names = [f"operator_with_a_long_name_{number}" for number in range(count)]
    return replace(
        faces(),
        operators=tuple(operator(name, 0.001) for name in names),
        flows=tuple(flow(f"{names[0]}.out", f"{name}.in") for name in names[1:]),
        paths=tuple(
            path(Step("work", names[0], ""), Step("work", name, "in", 0, 0.001 * index))
            for index, name in enumerate(names[1:], 1)
        ),
    )


def test_what_has_no_room_is_counted():
    lines = shown(live(many(50)))
    assert len(lines) <= 24
    operators = sum("▏" in text for text in lines)
    assert f"and {50 - operators} operators more" in lines
    paths = [text for text in lines if text.startswith(("▶", "   operator"))]
    assert f"and {49 - len(paths)} paths more" in lines
    assert paths[0].startswith("▶")
    assert sum("▶" in text for text in lines) == 1
    assert all("more" not in text for text in shown(live(many(50)), height=200))


def test_a_wide_terminal_tells_more_reasons_of_waiting():
    snapshot = faces()
    detect = snapshot.operators[1]
    waiting = replace(detect.waiting, room=9.0, partner=0.001)
    operators = (snapshot.operators[0], replace(detect, waiting=waiting))
    (told,) = (
        text
        for text in shown(live(replace(snapshot, operators=operators)), width=120)
        if text.startswith("detect ") and "%" in text and "/" in text
    )
    assert "turn 60.0, room 30.0  " in told


def test_what_is_hot_is_coloured():
    red, yellow = "\x1b[31m", "\x1b[33m"
    snapshot = faces()
    lines = shown(live(snapshot), colours="standard")
    detect, overlay, worst = lines[5], lines[6], lines[10]
    assert f"{red}█████▋  93%" in detect
    assert f"{red}  2/2" in detect
    assert f"{red}10 full" in overlay
    assert worst.startswith(f"{red}▶")
    assert f"{red}p99 50.0" in worst
    # What was dropped long ago is told, but no longer in red.
    later = replace(snapshot, seconds=15.0)
    calm = shown(live(later), difference(later, snapshot), colours="standard")
    assert any("10 full" in text for text in calm)
    assert not any(f"{red}10 full" in text for text in calm)
    free = shown(live(replace(snapshot, budgets=())), colours="standard")
    assert any(text.startswith(f"{yellow}▶") for text in free)


@pytest.mark.parametrize(
    ("state", "first", "second"),
    [
        (LiveState("none"), "holoflow top  no app runs; waiting", "holoflow run APP"),
        (LiveState("none", "faces"), "faces  does not run; waiting for it", "holoflow run faces"),
        (LiveState("live", "faces", fragments=ALIVE), "faces  starting", None),
    ],
)
def test_before_there_are_numbers(state, first, second):
    lines = shown(state)
    assert lines[0] == first
    assert lines[1:] == ([] if second is None else [f"start it with: {second}"])
    assert line(view(state, None)).endswith(first.partition("  ")[2])


def test_an_app_that_ended_or_sends_nothing():
    ended = replace(live(faces()), kind="ended")
    assert shown(ended)[0].startswith("faces  ended; waiting for it to restart  10 s  30 ")
    silent = live(faces(), fragments={"main": FragmentState(1, True, 12.0)})
    assert shown(silent)[0].startswith("faces  no news for 12 s  ")


def test_fragments_where_there_are_several():
    fragments = {"edge": FragmentState(1, True, 0.1), "view": FragmentState(2, False, 9.0)}
    snapshot = faces()
    workers = (snapshot.workers[0], replace(snapshot.workers[1], fragment="view"))
    lines = shown(live(replace(snapshot, workers=workers), fragments=fragments))
    assert lines[0].startswith("faces  live")
    assert lines[1] == "fragments:  edge (pid 1)  view (gone)"
    assert lines[-1] == "workers:  main worker 1 95%  view worker 2 19%"


def test_what_apps_say_cannot_steer_the_terminal():
    evil = "[red]x\x1b[2J\n"
    snapshot = replace(
        faces(), app=evil, announcements=((evil, evil),),
        operators=(operator(evil, 0.001),), flows=(), workers=(),
    )  # fmt: skip
    state = live(snapshot, problems=(evil,), fragments={evil: ALIVE["main"], "b": ALIVE["main"]})
    lines = shown(state, width=200)
    assert "\x1b" not in "".join(lines)
    assert "\x1b" not in line(view(state, snapshot))
    harmless = "[red]x\\x1b[2J"
    assert lines[0].startswith(f"{harmless}   live")
    assert lines[1] == f"fragments:  {harmless}  (pid 4711)  b (pid 4711)"
    assert lines[2] == f"{harmless} : {harmless}"


def test_a_line_has_the_most_important():
    said = line(view(live(faces()), faces()))
    assert said.startswith(
        "faces: live, 10 s, 30 frames/s, p99 121 ms (camera → detect → overlay → screen), "
        "dropped 10 full; detect works 31 ms of each 33.3 ms"
    )
