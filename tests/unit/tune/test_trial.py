"""What a trial has shown, from the report of its run; and the search, without running anything."""

from dataclasses import replace

import pytest
from support.planned import watched, write_app
from support.reports import report
from support.snapshots import times

from holoflow.app import load
from holoflow.cli.apps import find
from holoflow.stats.snapshot import Sample
from holoflow.tune.search import Tuning, middle, near, spread
from holoflow.tune.settings import DEFAULT, KIND, Candidate
from holoflow.tune.trial import Measurement, TrialError, measurement, shortage, slowest, warm

GREEDY = Candidate(((KIND, "greedy"),))


def sample(end, frames, latency=0.01):
    names = ("camera", "detect", "screen")
    return Sample(
        seconds=end, span=0.5, frames=dict.fromkeys(names, frames), depth={}, dropped={},
        latency={"camera → screen": times(latency, count=frames, spread=0)},
    )  # fmt: skip


@pytest.fixture
def app(tmp_path):
    return load(write_app(tmp_path, fragments=False))


def test_the_first_part_is_not_measured(app):
    before = replace(sample(0.5, 0), latency={})  # a model is loaded, say
    late = [sample(0.5 * number, 50) for number in (3, 4)]
    samples = [before, sample(1.0, 2, 5.0), *late]
    found = measurement(app, report(watched(), samples))
    assert found.rate == pytest.approx(100)
    assert found.p99 == pytest.approx(0.01, rel=0.02)
    assert found.cpu == pytest.approx(
        sum(one.machine.cpu for one in watched().fragments) / 300
    )  # fmt: skip


def test_of_what_is_too_short_all_is_measured(app):
    found = measurement(app, report(watched(), [replace(sample(0.5, 50), span=0.5)]))
    assert found.rate == pytest.approx(100)
    assert not shortage(found)
    assert "after 200 ms" in shortage(replace(found, seconds=0.2))
    assert "49 frames" in shortage(replace(found, frames=49))


def test_nothing_is_made_up(app):
    found = measurement(app, report(watched(), []))
    assert (found.rate, found.p50, found.p99) == (None, None, None)
    assert warm([]) == []
    assert slowest([]) is None


def measured(rate, p99):
    return Measurement(rate, p99 / 2, p99, 0.001, 4.0, 400)


def found(app, run, goal="rate", live=False):
    """Return a search that has ended; `run` gives rate and p99 of a setting."""
    search = Tuning(app, range(2), goal, live, lambda setting, fast: measured(*run(setting, fast)))
    search.go()
    return search


def test_what_is_best_is_found_among_all_kinds_of_settings():
    faces = load(find("faces"))
    good = {"multithread": 1.3, 4: 1.2, "off": 0.9}

    def run(setting, fast):
        assert fast
        rate = 100.0
        for _, value in setting.values:
            rate *= good.get(value, 0.97)
        return rate, 0.01

    best = found(faces, run).best
    assert dict(best.values)[KIND] == "multithread"
    assert 4 in dict(best.values).values()
    assert "fuse off" not in str(best)


def test_for_latency_only_those_with_nearly_the_best_rate_are_compared():
    hello = load(find("hello"))

    def run(setting, fast):
        workers = "workers 1" in str(setting)
        under_way = "in_flight 1" in str(setting)
        return (50.0 if workers else 95.0 if under_way else 100.0), (
            0.001 if workers else 0.005 if under_way else 0.01
        )

    search = found(hello, run, "latency")
    assert "in_flight 1" in str(search.best)
    assert "workers 1" not in str(search.best)
    assert search.at_own_pace[DEFAULT]
    assert all("workers 1" not in str(setting) for setting in search.at_own_pace)


def test_live_sources_are_compared_by_latency_at_their_pace():
    hello = load(find("hello"))

    def run(setting, fast):
        assert not fast
        return 30.0, 0.005 if "greedy" in str(setting) else 0.01

    search = found(hello, run, live=True)
    assert search.best == GREEDY
    assert not search.at_full_speed


def test_a_setting_that_fails_is_out_and_the_app_that_fails_ends_the_search():
    hello = load(find("hello"))

    def run(setting, _):
        if setting == GREEDY:
            raise TrialError("no thread")
        return 100.0, 0.01

    search = found(hello, run)
    assert search.best == DEFAULT
    assert search.failures == {GREEDY: "no thread"}

    def broken(setting, _):
        raise TrialError("operator 'find' failed")

    with pytest.raises(TrialError, match="operator 'find' failed"):
        found(hello, broken)


def test_what_an_interrupted_search_knows_is_kept():
    hello = load(find("hello"))

    def run(setting, _):
        if "in_flight" in str(setting):
            raise KeyboardInterrupt
        return (200.0 if "greedy" in str(setting) else 100.0), 0.01

    search = Tuning(
        hello, range(2), "rate", False, lambda setting, fast: measured(*run(setting, fast))
    )
    with pytest.raises(KeyboardInterrupt):
        search.go()
    assert search.best == GREEDY
    assert len(search.at_full_speed[GREEDY]) >= 3


def test_medians_spreads_and_who_is_near():
    trials = {
        DEFAULT: [measured(80.0, 0.02)],
        GREEDY: [measured(100.0, 0.03), measured(110.0, 0.03), measured(90.0, 0.03)],
    }
    assert middle(trials[GREEDY], "rate") == 100
    assert spread(trials[GREEDY], "rate") == pytest.approx(0.2)
    assert spread(trials[DEFAULT], "rate") is None
    assert near(trials, GREEDY) == (GREEDY,)
    assert near({**trials, DEFAULT: [measured(91.0, 0.02)]}, GREEDY) == (DEFAULT, GREEDY)
