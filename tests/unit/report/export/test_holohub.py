from collections import Counter

import pytest
from support.holohub_log import parse
from support.records import EPOCH, MS, Recording, faces

from holoflow.report.export import table


@pytest.fixture
def log(tmp_path):
    def write(records):
        count = table.write_log(records, tmp_path / "holohub.log")
        text = (tmp_path / "holohub.log").read_text()
        assert text.count("\n") == count
        return text

    return write


def test_a_line_is_a_way_of_a_frame(log):
    at = (EPOCH + 1000 * MS) // 1000
    assert log(faces(1)) == (
        f"(camera,{at + 2000},{at + 2000}) -> (overlay,{at + 33600},{at + 36600})"
        f" -> (screen,{at + 36600},{at + 37600})\n"
        f"(camera,{at + 2000},{at + 2000}) -> (detect,{at + 2100},{at + 33100})"
        f" -> (overlay,{at + 33600},{at + 36600}) -> (screen,{at + 36600},{at + 37600})\n"
    )


def test_the_scripts_find_paths_and_times(log):
    latencies, working, between = parse(log(faces(9)))
    assert Counter({path: len(times) for path, times in latencies.items()}) == {
        "camera→ overlay→ screen": 6,
        "camera→ detect→ overlay→ screen": 6,
    }
    assert latencies["camera→ overlay→ screen"][0] == 35.6
    assert set(working["detect"]) == {31.0}
    assert set(working["screen"]) == {1.0}
    assert set(between["overlay", "screen"]) == {0.0}
    assert set(between["detect", "overlay"]) == {0.5}


def test_the_order_is_that_of_the_ends(log):
    ends = [int(line.rpartition(",")[2][:-1]) for line in log(faces(9)).splitlines()]
    assert ends == sorted(ends)


def test_a_way_whose_beginning_is_not_known_is_left_out(log):
    made = Recording()
    (known,) = made.send("a.out -> c.x")
    (unknown,) = made.send("b.out -> c.y")
    made.call("a", 0, 1, gives=[known])
    made.call("c", 2, 3, takes=[unknown, known])
    made.call("c", 4, 5, takes=[unknown])
    assert set(parse(log(made.records()))[0]) == {"a→ c"}


def test_who_sends_nothing_this_time_is_no_sink(log):
    made = Recording()
    for frame in range(4):
        (one,), (two,) = made.send("a.out -> filter.x"), made.send("filter.out -> c.x")
        made.call("a", 10 * frame, 10 * frame + 1, gives=[one])
        kept = frame % 2
        made.call("filter", 10 * frame + 2, 10 * frame + 3, takes=[one], gives=[two] * kept)
        if kept:
            made.call("c", 10 * frame + 4, 10 * frame + 5, takes=[two])
    assert {path: len(times) for path, times in parse(log(made.records()))[0].items()} == {
        "a→ filter→ c": 2
    }


def test_a_back_edge_leads_no_way_round(log):
    made = Recording()
    back = ()
    for frame in range(50):
        (new,), sent = made.send("a.out -> b.x"), made.send("b.out -> b.last", "b.out -> c.x")
        made.call("a", 10 * frame, 10 * frame + 1, gives=[new])
        made.call("b", 10 * frame + 2, 10 * frame + 3, takes=[new, *back], gives=sent)
        made.call("c", 10 * frame + 4, 10 * frame + 5, takes=[sent[1]])
        back = [sent[0]]
    assert {path: set(times) for path, times in parse(log(made.records()))[0].items()} == {
        "a→ b→ c": {5.0}
    }


@pytest.mark.parametrize(("sent", "lines"), [(True, table.MOST_PATHS), (False, 0)])
def test_ways_beyond_number_end(log, sent, lines):
    """Thirty diamonds in a row have 2^30 ways, also where none of them begins at a source."""
    made = Recording()
    before = made.send("a.out -> j0.x")
    if sent:
        made.call("a", 0, 1, gives=before)
    for number in range(30):
        between = [made.send(f"j{number}.out -> {side}{number}.x")[0] for side in ("left", "right")]
        made.call(f"j{number}", 3 * number + 1, 3 * number + 2, takes=before, gives=between)
        before = []
        for side, message in zip(("left", "right"), between, strict=True):
            before += made.send(f"{side}{number}.out -> j{number + 1}.{side}")
            made.call(
                f"{side}{number}",
                3 * number + 2,
                3 * number + 3,
                takes=[message],
                gives=before[-1:],
            )
    made.call("j30", 100, 101, takes=before)
    assert log(made.records()).count("\n") == lines


def test_ways_by_different_ports_are_one(log):
    made = Recording()
    sent = made.send("a.out -> b.x", "a.out -> b.y")
    made.call("a", 0, 1, gives=sent)
    made.call("b", 2, 3, takes=sent)
    assert log(made.records()).count("\n") == 1
