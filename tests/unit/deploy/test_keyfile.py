"""The keys of a service in one file."""

import json
import os
import stat
from base64 import b64encode

import pytest

from holoflow.core.errors import HoloflowError
from holoflow.deploy import keyfile
from holoflow.link.keys import KeyStore, keys_folder


@pytest.fixture
def pair():
    return keyfile.new_pair("edge")


@pytest.fixture
def entries(pair):
    """What the file of `edge` holds, which trusts `view`."""
    return json.loads(keyfile.write(pair, {"view": keyfile.new_pair("view").public}))


def test_what_was_written_is_read(pair, tmp_path):
    allowed = {"view": keyfile.new_pair("view").public}
    path = tmp_path / "keys.json"
    path.write_text(keyfile.write(pair, allowed))
    found = keyfile.read(path)
    assert (found.own, found.allowed) == (pair, allowed)
    assert pair.secret not in repr(found)


def test_what_podman_leaves_in_base64_is_read(entries, tmp_path):
    text = json.dumps(entries)
    path = tmp_path / "keys.json"
    path.write_bytes(b64encode(text.encode()))
    assert keyfile.read(path) == keyfile.parse(text, "keys")


def test_keys_are_unpacked_where_links_look_for_them(entries, tmp_path):
    keys = keyfile.parse(json.dumps(entries), "keys")
    keyfile.unpack(keys, tmp_path / "folder")
    store = KeyStore(tmp_path / "folder")
    assert store.own() == keys.own
    assert store.of(["view"]) == keys.allowed
    for path in (tmp_path / "folder").rglob("*"):
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077


def test_a_run_has_them_for_its_time(entries, tmp_path, monkeypatch):
    path = tmp_path / "keys.json"
    path.write_text(json.dumps(entries))
    monkeypatch.setenv(keyfile.VARIABLE, str(path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("HOLOFLOW_KEYS", "/elsewhere")
    with keyfile.unpacked():
        folder = keys_folder()
        assert folder.parent == tmp_path
        assert KeyStore().own().name == "edge"
    assert os.environ["HOLOFLOW_KEYS"] == "/elsewhere"
    assert not folder.exists()
    monkeypatch.delenv(keyfile.VARIABLE)
    with keyfile.unpacked():
        assert os.environ["HOLOFLOW_KEYS"] == "/elsewhere"


def changed(entries, **new):
    return json.dumps({**entries, **new})


WRONG = [
    ("{", "is not JSON"),
    ("[" * 100_000, "is not JSON"),
    ("[]", "it must be an object with allowed, name, public, secret"),
    ('{"name": "edge"}', "it must be an object with"),
]
CHANGED = [
    ({"name": 1}, "name must be that of a host"),
    ({"name": "../x"}, "is not a name of a host"),
    ({"secret": "x"}, "the secret key of edge must be 32 bytes"),
    ({"public": None}, "the public key of edge must be 32 bytes"),
    ({"allowed": []}, "allowed must be an object"),
    ({"allowed": {"view": "x"}}, "the public key of view must be 32 bytes"),
    ({"allowed": {"a/b": "x"}}, "is not a name of a host"),
    ({"more": 1}, "it must be an object with"),
]


@pytest.mark.parametrize(("text", "words"), WRONG)
def test_what_is_no_key_file_is_said(text, words):
    with pytest.raises(HoloflowError, match=words):
        keyfile.parse(text, "keys")


@pytest.mark.parametrize(("new", "words"), CHANGED)
def test_what_is_wrong_in_one_is_said_and_no_key_of_it(entries, new, words):
    with pytest.raises(HoloflowError, match=words) as raised:
        keyfile.parse(changed(entries, **new), "keys")
    assert entries["secret"] not in str(raised.value)


def test_both_keys_of_a_pair_belong_together(entries):
    other = keyfile.new_pair("edge").public
    with pytest.raises(
        HoloflowError, match="the public key of edge does not belong to its secret key"
    ):
        keyfile.parse(changed(entries, public=other), "keys")


def test_a_file_that_cannot_be_one_is_not_read(tmp_path):
    with pytest.raises(HoloflowError, match="cannot be read: No such file"):
        keyfile.read(tmp_path / "none")
    large = tmp_path / "large"
    large.write_bytes(b" " * (keyfile.LARGEST + 1))
    with pytest.raises(HoloflowError, match="larger than"):
        keyfile.read(large)


def test_a_folder_that_cannot_be_made_is_said(entries, tmp_path, monkeypatch):
    path = tmp_path / "keys.json"
    path.write_text(json.dumps(entries))
    monkeypatch.setenv(keyfile.VARIABLE, str(path))
    monkeypatch.setattr(keyfile.tempfile, "mkdtemp", lambda **_: os.mkdir("/proc/none"))
    with (
        pytest.raises(HoloflowError, match="cannot make a folder for the keys"),
        keyfile.unpacked(),
    ):
        raise AssertionError
