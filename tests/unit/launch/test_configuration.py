"""A plan is made the same way in all processes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from support.launched import APART, JOINED, OPERATORS

from holoflow.core.errors import AppError, HoloflowError
from holoflow.launch.configuration import LaunchConfiguration
from holoflow.plan.fingerprint import difference, digest
from holoflow.stats.snapshot import from_plain, to_plain


@pytest.fixture
def configuration(tmp_path: Path) -> LaunchConfiguration:
    (tmp_path / "operators.py").write_text(OPERATORS)
    (tmp_path / "app.yaml").write_text(JOINED)
    return LaunchConfiguration(tmp_path / "app.yaml", {"until": "3"})


def test_it_says_all_that_there_is_to_say_of_a_plan(configuration: LaunchConfiguration) -> None:
    changed = replace(configuration, scheduler="greedy", workers=3, lossless=True, only=("ill",))
    plan = from_plain(LaunchConfiguration, to_plain(changed)).plan()
    assert plan.app.operators["count"].parameters["until"] == 3
    assert {(p.scheduler.kind, p.scheduler.workers) for p in plan.processes} == {("greedy", 3)}
    assert plan.here == {"ill"}
    assert configuration.plan().here == {"feed", "ill", "sink"}


def test_an_app_without_fragments_has_none_to_choose(configuration: LaunchConfiguration) -> None:
    text = configuration.app.read_text().partition("fragments:")[0]
    configuration.app.write_text(text)
    assert len(configuration.plan().processes) == 1
    with pytest.raises(HoloflowError, match="--fragment: joined has no fragment 'ill'; it has non"):
        replace(configuration, only=("ill",)).plan()


def test_an_unknown_fragment_is_said_with_those_that_there_are(
    configuration: LaunchConfiguration,
) -> None:
    with pytest.raises(HoloflowError, match="no fragment 'bad'; it has feed, ill, sink"):
        replace(configuration, only=("feed", "bad")).plan()


def test_a_wrong_app_is_refused(configuration: LaunchConfiguration) -> None:
    with pytest.raises(AppError):
        replace(configuration, settings={"untill": "3"}).plan()


def test_the_digest_is_that_of_what_is_counted(configuration: LaunchConfiguration) -> None:
    same = digest(configuration.plan())
    assert digest(replace(configuration, only=("ill",)).plan()) == same
    assert digest(replace(configuration, lossless=True).plan()) == same
    configuration.app.write_text(
        configuration.app.read_text().replace("{from: count,", "{from: count, queue: 5,")
    )
    assert digest(configuration.plan()) != same
    configuration.app.write_text(APART)
    assert digest(configuration.plan()) != same


def test_the_processes_put_fragments_where_the_launcher_does(
    configuration: LaunchConfiguration,
) -> None:
    moved = replace(configuration, places={"ill": "elsewhere"}, placed=True)
    plan = from_plain(LaunchConfiguration, to_plain(moved)).plan()
    assert plan.app.fragments["ill"].host == "elsewhere"
    assert digest(plan) == digest(configuration.plan())
    with pytest.raises(HoloflowError, match="unknown fragment 'il'; did you mean 'ill'"):
        replace(configuration, places={"il": "elsewhere"}).plan()


def test_the_digest_is_that_of_what_runs_and_says_what_differs(
    configuration: LaunchConfiguration,
) -> None:
    folder = configuration.app.parent
    (folder / "other.py").write_text("LIMIT = 1\n")
    (folder / "operators.py").write_text("from .other import LIMIT\n" + OPERATORS)
    plan = configuration.plan()
    before = digest(plan)
    assert difference(plan, before) == ""
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    for name in ("app.yaml", "operators.py", "other.py"):
        (elsewhere / name).write_text((folder / name).read_text())
    there = replace(configuration, app=elsewhere / "app.yaml")
    assert digest(there.plan()) == before
    other = replace(there, settings={"until": "4"}).plan()
    assert digest(other) != before
    assert difference(other, before) == "the parameters of count"
    (elsewhere / "other.py").write_text("LIMIT = 2\n")
    assert difference(there.plan(), before) == "other.py"
    (elsewhere / "operators.py").write_text("from .other import LIMIT\n\n" + OPERATORS)
    assert difference(there.plan(), before) == "operators.py, other.py"
