import re

import pytest
from typer.testing import CliRunner

from holoflow.cli.program import program

KINDS = ("operator", "app", "fragment", "plugin")


def invoke(*arguments):
    return CliRunner().invoke(program, ["new", *arguments])


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("kind", "files"),
    [
        ("operator", {"find_edges.py", "app.yaml"}),
        ("app", {"app.yaml", "operators.py"}),
        ("fragment", {"find_edges.yaml", "app.yaml"}),
    ],
)
def test_a_folder_with_code_readme_and_test_is_made(kind, files, folder):
    made = invoke(kind, "find_edges")
    assert (made.exit_code, made.stderr) == (0, "")
    there = {path.name: path.read_text() for path in (folder / "find_edges").iterdir()}
    assert set(there) == files | {"README.md", "test_find_edges.py"}
    assert all(name in made.stdout for name in there)
    assert "cd find_edges && python -m pytest" in made.stdout
    for text in there.values():
        assert "$name" not in text
        assert "${name}" not in text
        assert "$$" not in text


def test_a_plugin_is_a_package_with_one_of_everything(folder):
    made = invoke("plugin", "find_edges")
    assert (made.exit_code, made.stderr) == (0, "")
    there = {p.relative_to(folder / "find_edges").as_posix(): p for p in folder.rglob("*.*")}
    package = "holoflow_find_edges"
    assert set(there) == {
        "pyproject.toml", "README.md", "tests/test_find_edges.py",
        f"{package}/__init__.py", f"{package}/operators.py", f"{package}/payloads.py",
        f"{package}/fragments/find_edges_meter.yaml", f"{package}/apps/find_edges_demo/app.yaml",
    }  # fmt: skip
    assert "cd find_edges && pip install -e '.[test]' && python -m pytest" in made.stdout
    for path in there.values():
        assert not re.search(r"\$name|\$\{name\}|\$\{class_name\}|\$\$", path.read_text())
    points = there["pyproject.toml"].read_text()
    assert 'name = "holoflow-find-edges"' in points
    assert '"find_edges.measure" = "holoflow_find_edges.operators:MeasureOp"' in points


def test_the_class_is_named_after_the_operator(folder):
    invoke("operator", "find_edges_2_op")
    text = (folder / "find_edges_2_op" / "find_edges_2_op.py").read_text()
    assert "class FindEdges2Op(Operator):" in text


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("there", ["folder", "file", "link"])
def test_nothing_is_overwritten(kind, there, folder):
    path = folder / "edges"
    if there == "folder":
        path.mkdir()
    elif there == "file":
        path.write_text("mine")
    else:
        path.symlink_to(folder / "nowhere")
    made = invoke(kind, "edges")
    assert (made.exit_code, made.stdout) == (2, "")
    assert "edges already exists" in made.stderr
    assert [item.name for item in folder.rglob("*")] == ["edges"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "name",
    [
        "", "Edges", "find-edges", "find edges", "../edges", "/edges", "2d", "_edges", "é", "a.b",
        "class", "match", "json", "numpy", "holoflow", "x" * 51, "a\n",
    ],
)  # fmt: skip
def test_names_that_cannot_be(kind, name, folder):
    made = invoke(kind, name)
    assert (made.exit_code, made.stdout) == (2, "")
    assert "cannot be a name" in made.stderr
    assert list(folder.iterdir()) == []


def test_a_folder_that_cannot_be_written(folder, monkeypatch):
    def full(*_arguments, **_options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_text", full)
    made = invoke("app", "edges")
    assert made.exit_code == 2
    assert "cannot write into edges: No space left on device" in made.stderr
    assert list(folder.iterdir()) == []
