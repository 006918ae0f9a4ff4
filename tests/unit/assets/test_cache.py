from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holoflow.assets import cache_folder, cached_path
from holoflow.assets.fetching import file_name
from holoflow.assets.source import Asset


def test_the_folder_is_what_the_environment_says(monkeypatch):
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.delenv("HOLOFLOW_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache_folder() == Path("/home/someone/.cache/holoflow")
    monkeypatch.setenv("XDG_CACHE_HOME", "/shared")
    assert cache_folder() == Path("/shared/holoflow")
    monkeypatch.setenv("HOLOFLOW_CACHE", "~/own")
    assert cache_folder() == Path("/home/someone/own")


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://host/a/model.onnx?v=2#x", "model.onnx"),
        ("pypi:pkg==1.0#a/b/model.onnx", "model.onnx"),
        ("pypi:pkg==1.0#../../etc/passwd", "passwd"),
        ("pypi:pkg==1.0#..", "asset"),
        ("file:clip%20one.mp4", "clip_one.mp4"),
        ("file:..%2F..%2Fx", "x"),
        ("https://host/", "host"),
    ],
)
def test_a_file_keeps_its_name_where_that_is_safe(url, name):
    assert file_name(url) == name


@given(st.text(), st.sampled_from(["https://h/", "pypi:p==1#", "file:"]))
def test_no_url_leads_out_of_the_cache(text, scheme):
    path = cached_path(Asset("a", scheme + text, "ab" * 32))
    assert path.parent == cache_folder() / ("ab" * 32)
    assert path.name not in ("", ".", "..")
    assert not set(path.name) & set("/\\\0:")


def test_capital_and_small_digits_of_a_checksum_are_the_same_file():
    assert cached_path(Asset("a", "file:x", "AB" * 32)) == cached_path(
        Asset("b", "file:x", "ab" * 32)
    )
