import shlex

import pytest
from typer.testing import CliRunner

from holoflow.cli.program import program
from holoflow.link.keys import KeyStore


def invoke(*arguments):
    return CliRunner().invoke(program, ["keys", *arguments])


@pytest.fixture
def host(tmp_path, monkeypatch):
    """Return a function that makes the commands those of another host."""

    def become(name):
        monkeypatch.setenv("HOLOFLOW_KEYS", str(tmp_path / name))
        return KeyStore()

    become("edge-a")
    return become


def test_hosts_come_to_trust_one_another_by_what_is_printed(host):
    assert invoke("new", "--name", "edge-a").exit_code == 0
    line = invoke("show").stdout.splitlines()[-1]
    ours = host("edge-a").own().public
    there = host("edge-b")
    words = shlex.split(line)
    assert words[:3] == ["holoflow", "keys", "allow"]
    assert invoke(*words[2:]).stdout.startswith("edge-a is allowed (")
    assert there.allowed() == {"edge-a": ours}
    assert invoke("list").stdout == f"edge-a  {ours}\n"
    assert invoke("remove", "edge-a").stdout == "edge-a is no longer allowed\n"
    assert invoke("list").stdout == f"no host is allowed in {there.folder}\n"


def test_new_keys_are_shown_and_never_the_secret(host):
    made = invoke("new", "--name", "edge-a")
    own = host("edge-a").own()
    assert own.public in made.stdout
    assert own.secret not in made.stdout + invoke("show").stdout


def test_keys_are_not_replaced_by_accident(host):
    invoke("new", "--name", "edge-a")
    before = host("edge-a").own()
    refused = invoke("new", "--name", "edge-a")
    assert (refused.exit_code, before) == (2, host("edge-a").own())
    assert "--force" in refused.stderr
    assert invoke("new", "--name", "edge-a", "--force").exit_code == 0
    assert host("edge-a").own() != before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["show"], "holoflow keys new"),
        (["allow", "edge-b", "nonsense"], "is not a public key"),
        (["allow", "../edge-b", "nonsense"], "is not a name of a host"),
        (["remove", "edge-b"], "no host 'edge-b' is allowed here; allowed: none"),
    ],
)
def test_what_is_wrong_is_said(host, arguments, said):
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert said in result.stderr
