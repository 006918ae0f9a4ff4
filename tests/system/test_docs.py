"""What the documents say is true: their commands run, their apps are right, their code works."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from holoflow.app import load
from holoflow.core.errors import AppError

REPOSITORY = Path(__file__).parents[2]
DOCUMENTS = [*sorted(REPOSITORY.glob("*.md")), *sorted((REPOSITORY / "docs").rglob("*.md"))]
DOCUMENTS += sorted((REPOSITORY / "apps").glob("*/README.md"))
HOLOFLOW = Path(sys.executable).with_name("holoflow")


APART = ("docs/tutorial.md", "docs/how-to/tune-an-app.md")
"""Commands that need one another, and those of a search that takes minutes: both have tests of
their own."""


def blocks(language: str) -> list[tuple[str, str]]:
    """Return (document, text) of every fenced block in `language`."""
    pattern = re.compile(rf"^```{language}\n(.*?)^```", re.MULTILINE | re.DOTALL)
    return [
        (str(document.relative_to(REPOSITORY)), block)
        for document in DOCUMENTS
        for block in pattern.findall(document.read_text())
    ]


def commands() -> list[str]:
    """Return every `holoflow` command of the documents, once, without comments."""
    lines = [
        line for where, block in blocks("sh") if where not in APART for line in block.splitlines()
    ]
    split = [shlex.split(line, comments=True) for line in lines]
    return sorted({shlex.join(words) for words in split if words[:1] == ["holoflow"]})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the repository's apps and recordings of the user's own."""
    import av
    import numpy as np
    from pydicom import examples

    path = tmp_path_factory.mktemp("docs")
    (path / "apps").symlink_to(REPOSITORY / "apps")
    with av.open(str(path / "my.mp4"), "w") as clip:
        stream = clip.add_stream("mpeg4", 30)
        stream.width, stream.height, stream.pix_fmt = 192, 160, "yuv420p"
        for level in range(5):
            pixels = np.full((160, 192, 3), 50 * level, np.uint8)
            clip.mux(stream.encode(av.VideoFrame.from_ndarray(pixels)))
        clip.mux(stream.encode())
    for run in "ab":
        command = [HOLOFLOW, "run", "hello", "--engine", "inline", "--no-web"]
        options = ["--frames", "30", "--trace", "frames=1000", "--output", f"runs/{run}"]
        subprocess.run([*command, *options], cwd=path, check=True, capture_output=True)
    (path / "my.dcm").write_bytes(Path(examples.get_path("ybr_color")).read_bytes())
    return path


@pytest.mark.parametrize("line", commands())
def test_command(line: str, folder: Path) -> None:
    words = ["example" if word == "NAME" else word for word in shlex.split(line)]
    words = [
        "2s" if before == "--for" else w for before, w in zip(["", *words], words, strict=False)
    ]
    result = subprocess.run([HOLOFLOW, *words[1:]], cwd=folder, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def test_app_of_the_readme_is_right(tmp_path: Path) -> None:
    text, *_ = [block for where, block in blocks("yaml") if where == "README.md"]
    for operator in (REPOSITORY / "apps" / "hello").glob("*.py"):
        (tmp_path / operator.name).write_text(operator.read_text())
    file = tmp_path / "app.yaml"
    file.write_text(text)
    assert load(file).operators

    file.write_text(text.replace("length: 90", "lenght: 90"))
    with pytest.raises(AppError) as caught:
        load(file)
    shown = str(caught.value).replace(f"{tmp_path}/", "")
    assert f"```\n{shown}\n```" in (REPOSITORY / "README.md").read_text()


BLUR = """
from holoflow import Image, Operator


class BlurOp(Operator):
    heavy = True

    def process(self, image: Image) -> Image:
        return image
"""


def test_the_app_that_deals_frames_out_gathers_all_of_them(tmp_path: Path) -> None:
    (text,) = [block for _, block in blocks("yaml") if "flow.merge" in block]
    (tmp_path / "app.yaml").write_text(text)
    (tmp_path / "blur.py").write_text(BLUR)
    command = [HOLOFLOW, "run", "app.yaml", "--engine", "inline", "--output", "out"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    frames = {stats["name"]: stats["frames"] for stats in report["snapshot"]["operators"]}
    assert frames["blur_first"] == frames["blur_second"] == frames["blur_third"] == 10
    assert frames["gather"] == frames["write"] == 30


PYTHON = {
    where: "\n".join(block for at, block in blocks("python") if at == where)
    for where, _ in blocks("python")
}


@pytest.mark.parametrize("where", PYTHON)
def test_code(where: str, tmp_path: Path) -> None:
    script = tmp_path / "code.py"
    script.write_text("from __future__ import annotations\n" + PYTHON[where])
    result = subprocess.run([sys.executable, script], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
