"""Holoscan 5 is another API: it is recognised without being imported, and apps run on threads."""

from __future__ import annotations

import pytest
from support.graphs import Sink, Source, app, flow, node

from holoflow.core.errors import HoloflowError
from holoflow.engine import RunOptions
from holoflow.engine.execute import choose_engine
from holoflow.holoscan import runtime
from holoflow.plan import plan


@pytest.fixture
def forgetful():
    """Have what is known of Holoscan found out anew, and again by the tests that follow."""
    cached = (runtime.load, runtime.available)
    for function in cached:
        function.cache_clear()
    yield
    for function in cached:
        function.cache_clear()


@pytest.mark.usefixtures("forgetful")
@pytest.mark.parametrize(
    ("distribution", "version"),
    [("holoscan_core_cu13", "5.0.0"), ("holoscan", "5.0.0rc1"), ("holoscan_cu12", "10.1")],
)
def test_a_newer_holoscan_is_told_and_not_used(monkeypatch, tmp_path, distribution, version):
    installed = tmp_path / f"{distribution}-{version}.dist-info"
    installed.mkdir()
    name = distribution.replace("_", "-")
    (installed / "METADATA").write_text(
        f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(HoloflowError) as error:
        runtime.load()
    assert str(error.value) == (
        f"Holoscan {version} is installed, holoflow runs on Holoscan 4; "
        "install holoflow[cu12] or holoflow[cu13], or use --engine threads"
    )
    assert not runtime.available()

    planned = plan(app([node("source", Source), node("sink", Sink)], [flow("source", "sink")]))
    assert choose_engine(RunOptions(output=tmp_path), planned) == "threads"
    with pytest.raises(HoloflowError, match=f"^Holoscan {version} is installed"):
        choose_engine(RunOptions(output=tmp_path, engine="holoscan"), planned)


def test_what_half_an_uninstall_has_left_is_no_version(monkeypatch, tmp_path):
    (tmp_path / "holoscan_core_cu13-5.0.0.dist-info").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    assert runtime._too_new() is None
