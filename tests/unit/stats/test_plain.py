"""Snapshots as JSON and back."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.snapshots import faces, history

from holoflow.core.errors import HoloflowError
from holoflow.stats.snapshot import Sample, Snapshot, from_plain, to_json, to_plain

FACES = faces()
PLAIN = to_plain(FACES)

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)


def places(data: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the keys that lead to every value in `data`, a few of each list."""
    found = [at]
    entries = enumerate(data[:2]) if isinstance(data, list) else ()
    for key, value in data.items() if isinstance(data, dict) else entries:
        found += places(value, (*at, key))
    return found


PLACES = places(PLAIN)[1:]


def test_a_snapshot_comes_back_equal() -> None:
    assert from_plain(Snapshot, PLAIN) == FACES
    assert from_plain(Snapshot, json.loads(json.dumps(PLAIN))) == FACES
    assert from_plain(Snapshot, json.loads(to_json(FACES))) == FACES


def test_samples_come_back_equal() -> None:
    samples = history(FACES)
    assert (
        from_plain(tuple[Sample, ...], json.loads(to_json(samples, tuple[Sample, ...]))) == samples
    )


def test_json_is_one_line_and_standard() -> None:
    text = to_json(FACES)
    assert b"\n" not in text
    json.loads(text, parse_constant=pytest.fail)


def test_a_mistake_is_named_with_its_place() -> None:
    data = copy.deepcopy(PLAIN)
    data["flows"][1]["sent"] = "many"
    with pytest.raises(HoloflowError, match=r"not a Snapshot: flows\.1\.sent: .*integer"):
        from_plain(Snapshot, data)
    data = copy.deepcopy(PLAIN)
    data["paths"][0]["end_to_end"]["count"] += 1
    with pytest.raises(HoloflowError, match=r"paths\.0\.end_to_end: .*not a histogram"):
        from_plain(Snapshot, data)


@given(anything)
def test_anything_else_is_refused(data: Any) -> None:
    with pytest.raises(HoloflowError):
        from_plain(Snapshot, data)


@given(st.sampled_from(PLACES), anything, st.booleans())
def test_what_was_tampered_with_is_a_snapshot_or_refused(
    place: tuple[Any, ...], value: Any, remove: bool
) -> None:
    data = copy.deepcopy(PLAIN)
    at = data
    for key in place[:-1]:
        at = at[key]
    if remove:
        del at[place[-1]]
    else:
        at[place[-1]] = value
    try:
        made = from_plain(Snapshot, data)
    except HoloflowError:
        return
    assert isinstance(made, Snapshot)
    to_json(made)
