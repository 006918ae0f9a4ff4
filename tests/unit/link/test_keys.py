import os
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st
from zmq.utils import z85

from holoflow.core.errors import HoloflowError
from holoflow.link import keys
from holoflow.link.keys import KeyStore, keys_folder


@pytest.fixture
def store(tmp_path):
    return KeyStore(tmp_path / "keys")


def test_the_folder_is_that_of_the_environment(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.delenv("HOLOFLOW_KEYS", raising=False)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    assert str(keys_folder()) == "/home/me/.config/holoflow/keys"
    monkeypatch.setenv("XDG_CONFIG_HOME", "/config")
    assert str(keys_folder()) == "/config/holoflow/keys"
    monkeypatch.setenv("HOLOFLOW_KEYS", "~/mine")
    assert str(KeyStore().folder) == "/home/me/mine"


def test_a_pair_is_made_once_and_only_its_owner_can_read_it(store):
    made = store.create("edge-a")
    assert store.own() == made
    assert made.public[0].isalnum()
    assert made.secret not in repr(made)
    modes = {
        p.name: stat.S_IMODE(p.stat().st_mode) for p in (store.folder, *store.folder.iterdir())
    }
    assert modes == {"keys": 0o700, "secret": 0o600, "public": 0o600}
    with pytest.raises(HoloflowError, match="with --force they are replaced"):
        store.create("edge-a")
    assert store.own() == made
    assert store.create("edge-b", force=True).public != made.public
    assert store.own().name == "edge-b"


def test_a_pair_is_called_as_the_system_calls_the_host(store, monkeypatch):
    monkeypatch.setattr("socket.gethostname", lambda: "jetson.lab")
    assert store.create().name == "jetson.lab"


def test_without_keys_the_command_that_makes_them_is_named(store):
    with pytest.raises(HoloflowError, match="create them with: holoflow keys new"):
        store.own()


@pytest.mark.parametrize("which", ["secret", "."])
def test_keys_that_others_can_read_are_not_used(store, which):
    store.create("edge-a")
    path = store.folder / which
    path.chmod(path.stat().st_mode | 0o040)
    with pytest.raises(
        HoloflowError, match="can be read by others; it is not used until you run: chmod"
    ):
        store.own()


def test_a_list_that_others_can_change_is_not_used(store):
    store.allow("edge-b", KeyStore(store.folder / "other").create("x").public)
    (store.folder / "allowed").chmod(0o777)
    with pytest.raises(HoloflowError, match="can be changed by others"):
        store.allowed()


def test_hosts_are_trusted_until_they_are_removed(store):
    assert store.allowed() == {}
    key = store.create("edge-a").public
    store.allow("edge-b", key)
    store.allow("10.0.0.7", key)
    assert store.allowed() == {"10.0.0.7": key, "edge-b": key}
    store.remove("edge-b")
    assert list(store.allowed()) == ["10.0.0.7"]
    with pytest.raises(HoloflowError, match=r"no host 'edge-b' is allowed here; allowed: 10.0.0.7"):
        store.remove("edge-b")


def test_what_is_missing_is_named_with_the_commands(store):
    store.allow("edge-b", store.create("edge-a").public)
    assert list(store.of(["edge-b"])) == ["edge-b"]
    with pytest.raises(HoloflowError) as caught:
        store.of(["edge-b", "edge-c", "edge-d"])
    said = str(caught.value)
    assert "no key is known here for the hosts edge-c, edge-d" in said
    assert "`holoflow keys show`" in said
    assert "holoflow keys allow edge-c" in said


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "-x", "x" * 101, "a b", "é"])
def test_a_name_that_cannot_be_one(store, name):
    with pytest.raises(HoloflowError, match="is not a name of a host"):
        store.allow(name, "x")


@pytest.mark.parametrize("key", ["", "short", "a" * 41, "a" * 39 + "'", "#" * 40])
def test_a_key_that_cannot_be_one(store, key):
    with pytest.raises(HoloflowError, match="is not a public key"):
        store.allow("edge-b", key)
    assert not store.folder.exists()


@pytest.mark.parametrize("held", [b"", b"nonsense", b"\xff\xfe", b"x" * 2000])
def test_a_damaged_file_is_named(store, held):
    store.create("edge-a")
    store.allow("edge-b", store.own().public)
    for path in (store.folder / "allowed" / "edge-b", store.folder / "secret"):
        path.write_bytes(held)
    with pytest.raises(HoloflowError, match="edge-b"):
        store.allowed()
    with pytest.raises(HoloflowError, match="secret"):
        store.own()


def test_where_nothing_can_be_written_it_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    store = KeyStore(tmp_path / "file" / "keys")
    with pytest.raises(HoloflowError, match="cannot write"):
        store.create("edge-a")
    with pytest.raises(HoloflowError, match="cannot write"):
        store.allow("edge-b", z85.encode(os.urandom(32)).decode())


@given(st.binary(min_size=32, max_size=32))
def test_every_key_is_known_as_one(key):
    assert keys.is_key(z85.encode(key).decode())
