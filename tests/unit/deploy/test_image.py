"""What an image makes of its arguments."""

from pathlib import Path

import pytest

from holoflow.cli.container import completed
from holoflow.core.errors import HoloflowError
from holoflow.deploy.contents import Contents

FACES = Contents("{}", "faces", "apart.yaml", {"clip": "a b"}, ("edge", "detect"), {})
RUN = ["run", "/app/apart.yaml", "--output=/out", "--set=clip=a b"]


def of(*given):
    return completed(given, FACES, Path("/app"), "/out")


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ([], RUN),
        (["--frames", "10"], [*RUN, "--frames", "10"]),
        (["--fragment", "detect"], [*RUN, "--fragment", "detect"]),
        (["run", "--set", "clip=c"], [*RUN, "--set", "clip=c"]),
        (["check", "--json"], ["check", "/app/apart.yaml", "--set=clip=a b", "--json"]),
        (["graph", "--format", "mermaid"],
         ["graph", "/app/apart.yaml", "--set=clip=a b", "--format", "mermaid"]),
        (["assets", "list"], ["assets", "list", "/app/apart.yaml", "--set=clip=a b"]),
        (["assets", "path"], ["assets", "path"]),
        (["assets"], ["assets"]),
        (["top", "--json"], ["top", "faces", "--json"]),
        (["health", "--ready"], ["health", "faces", "--ready"]),
        (["report"], ["report"]),
        (["export", "--format", "csv"], ["export", "--format", "csv"]),
        (["ops", "show", "visualize.web"], ["ops", "show", "visualize.web"]),
    ],
)  # fmt: skip
def test_the_app_stands_where_a_command_wants_it(given, wanted):
    assert of(*given) == wanted


@pytest.mark.parametrize(
    ("word", "right"),
    [
        ("chek", "did you mean 'check'"),
        ("descripe", "did you mean 'describe'"),
        ("detect", "run a fragment with --fragment detect"),
        ("/bin/sh", "there are run, "),
    ],
)
def test_an_unknown_command_is_said(word, right):
    with pytest.raises(HoloflowError, match=f"unknown command '{word}'; {right}"):
        of(word)
