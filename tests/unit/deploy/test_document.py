"""Manifests as text."""

from __future__ import annotations

import pytest
import yaml as pyyaml
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from holoflow.deploy.document import commented, to_yaml

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
WORDS = st.sampled_from(["yes", "On", "1", "1e3", "0x1", "~", "null", "12:30", "", ".", "30s", "-"])
PLAIN = st.integers() | st.booleans() | TEXTS | WORDS
DATA = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS | WORDS, inner, max_size=3),
    max_leaves=10,
)


@given(data=st.dictionaries(TEXTS | WORDS, DATA, min_size=1, max_size=3), heading=TEXTS)
def test_all_readers_take_it_the_same_way(data, heading):
    text = to_yaml(data, heading)
    assert YAML(typ="safe", pure=True).load(text) == data
    assert pyyaml.safe_load(text) == data


@pytest.mark.parametrize("end", ["\n", "\x85", "\u2028", "\u2029"])
def test_what_comes_after_a_line_is_still_a_comment(end):
    text = to_yaml(commented({"a": 1}, {"a": f"x{end}b: 2"}), f"x{end}c: 3")
    assert YAML(typ="safe", pure=True).load(text) == pyyaml.safe_load(text) == {"a": 1}


def test_comments_stand_before_their_keys():
    inner = commented({"b": "x", "c": ["z"]}, {"c": "why\nand how"})
    data = commented({"a": inner, "d": 1}, {"d": "\nlast"})
    assert to_yaml(data, "what\n\nand more") == (
        "# what\n#\n# and more\na:\n  b: x\n  # why\n  # and how\n  c: [z]\n\n# last\nd: 1\n"
    )


@pytest.mark.parametrize("bad", ["\x07", "\x1b[31m", "\r"])
def test_comments_cannot_steer_a_terminal(bad):
    text = to_yaml(commented({"a": 1}, {"a": f"x{bad}y"}), f"x{bad}y")
    assert bad not in text
    assert pyyaml.safe_load(text) == {"a": 1}
