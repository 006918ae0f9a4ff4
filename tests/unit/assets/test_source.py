from pathlib import Path

import pytest

from holoflow.assets import AssetError
from holoflow.assets.source import Asset, Local, Web, Wheel, WheelMember, read_source
from holoflow.core.errors import Location


def read(url):
    return read_source(Asset("model", url, "0" * 64, Location("/apps/x/app.yaml", 7, 3)))


@pytest.mark.parametrize(
    ("url", "source"),
    [
        ("https://host/a?b#c", Web("https://host/a?b#c")),
        ("file:clip%20one.mp4", Local(Path("/apps/x/clip one.mp4"))),
        ("file:///data/clip.mp4", Local(Path("/data/clip.mp4"))),
        ("file://localhost/data/clip.mp4", Local(Path("/data/clip.mp4"))),
        ("file:/data/clip.mp4", Local(Path("/data/clip.mp4"))),
        ("pypi:a-b==1.5.0#d/e.onnx", WheelMember(Wheel("a-b", "1.5.0"), "d/e.onnx")),
        ("pypi:a==1!2.0+cu12#e", WheelMember(Wheel("a", "1!2.0+cu12"), "e")),
    ],
)
def test_every_kind_of_source(url, source):
    assert read(url) == source


@pytest.mark.parametrize(
    "url",
    [
        "http://host/a", "ftp://host/a", "model.onnx", "", "pypi:", "pypi:a#b", "pypi:a==1",
        "pypi:a==1#", "pypi:a>=1#b", "pypi:--index-url==1#b", "pypi:a==1 --pre#b",
        "pypi:a==1\n#b", "pypi:a==-1#b",
    ],
)  # fmt: skip
def test_what_is_no_source(url):
    with pytest.raises(AssetError, match=r"app\.yaml:7:3: asset 'model': .* is not a known"):
        read(url)
