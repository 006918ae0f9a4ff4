"""The keys of services."""

from __future__ import annotations

import json

import pytest
from support.deployable import in_a_row

from holoflow.core.errors import HoloflowError
from holoflow.deploy import keyfile
from holoflow.deploy.keyfile import secrets
from holoflow.deploy.services import RunCommand
from holoflow.deploy.split import in_containers


def services(*names):
    return in_containers(in_a_row(**{name: {} for name in names}), RunCommand()).services


def test_each_knows_those_it_talks_to():
    made = secrets(services("a", "b", "c"), {})
    assert made.made == ("a", "b", "c")
    read = {name: keyfile.parse(text, name) for name, text in made.files.items()}
    assert {name: set(keys.allowed) for name, keys in read.items()} == {
        "a": {"b"}, "b": {"a", "c"}, "c": {"b"},
    }  # fmt: skip
    assert all(
        key == read[other].own.public
        for keys in read.values()
        for other, key in keys.allowed.items()
    )
    assert len({keys.own.secret for keys in read.values()}) == 3


def test_keys_stay_and_newcomers_are_trusted():
    before = secrets(services("a", "b"), {})
    after = secrets(services("a", "b", "c"), before.files)
    assert (after.made, after.kept) == (("c",), ("a", "b"))
    assert after.files["a"] == before.files["a"]
    assert set(json.loads(after.files["b"])["allowed"]) == {"a", "c"}


def test_who_goes_is_trusted_no_more():
    before = secrets(services("a", "b", "c"), {})
    after = secrets(services("a", "b"), before.files)
    assert set(after.files) == {"a", "b"}
    assert set(json.loads(after.files["b"])["allowed"]) == {"a"}


def test_without_links_there_are_none():
    assert secrets(services("a"), {}).files == {}


@pytest.mark.parametrize("text", ["", "{}", keyfile.write(keyfile.new_pair("b"), {})])
def test_what_is_no_key_file_is_not_written_over(text):
    with pytest.raises(HoloflowError, match="key file of the service 'a'"):
        secrets(services("a", "b"), {"a": text})
