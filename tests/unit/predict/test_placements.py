"""Which fragments go to which hosts."""

from __future__ import annotations

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holoflow.predict.prediction import all_places, count, fresh_names, search

NAMES = ("edge", "infer", "view")


def together(places):
    """Return who is with whom, whatever the hosts are called."""
    hosts = {}
    for fragment, host in places.items():
        hosts.setdefault(host, set()).add(fragment)
    return frozenset(frozenset(group) for group in hosts.values())


@pytest.mark.parametrize(("hosts", "ways"), [(1, 1), (2, 4), (3, 5), (9, 5)])
def test_all_ways_are_yielded_once(hosts, ways):
    found = [together(places) for places in all_places(NAMES, hosts, {})]
    assert len(found) == len(set(found)) == ways
    assert count(3, hosts, 100) == ways


def test_counting_ends_where_there_are_too_many():
    assert count(30, 30, 65) == 65


def test_fragments_stay_where_they_are_pinned():
    pinned = {"edge": "camera-box", "view": "desk"}
    found = list(all_places(NAMES, 3, pinned))
    assert all(places["edge"] == "camera-box" for places in found)
    assert all(places["view"] == "desk" for places in found)
    assert {places["infer"] for places in found} == {"camera-box", "desk", "host-1"}


def test_fragments_pinned_to_one_host_are_together():
    found = list(all_places(NAMES, 3, {"edge": "box", "view": "box"}))
    assert {together(places) for places in found} == {
        frozenset({frozenset(NAMES)}),
        frozenset({frozenset({"edge", "view"}), frozenset({"infer"})}),
    }


def test_names_of_hosts_are_not_taken_twice():
    assert list(islice(fresh_names({"host-1", "host-3"}), 3)) == ["host-2", "host-4", "host-5"]


@given(
    st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 9), min_size=8), st.integers(1, 4)
)
def test_search_finds_what_spreads_the_load(weights, hosts):
    """The heaviest host decides; moving one at a time finds what no single move makes better."""
    names = sorted(weights)

    def heaviest(places):
        sums = {}
        for name, host in places.items():
            sums[host] = sums.get(host, 0) + weights[name]
        return sorted(sums.values(), reverse=True)

    best = search(names, hosts, {}, lambda a, b: heaviest(a) < heaviest(b))
    assert len(set(best.values())) <= hosts
    for name in names:
        for host in set(best.values()):
            assert not heaviest({**best, name: host}) < heaviest(best)


def test_search_keeps_what_is_pinned():
    best = search(
        NAMES, 3, {"view": "desk"}, lambda a, b: len(set(a.values())) > len(set(b.values()))
    )
    assert best["view"] == "desk"
    assert len(set(best.values())) == 3
