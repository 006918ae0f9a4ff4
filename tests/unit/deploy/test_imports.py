"""Which imports of Python files are of what is not installed."""

import sys

import pytest

from holoflow.deploy.undeclared import absent, missing

GONE = "no_such_module_anywhere"


@pytest.fixture
def find(tmp_path):
    """Return the missing modules of a file, as `file:line:column module`."""

    def find(text, **others):
        for name, content in {"face": text, **others}.items():
            path = tmp_path / f"{name}.py"
            path.parent.mkdir(exist_ok=True)
            path.write_text(content)
        found = missing(tmp_path / "face.py")
        return [f"{f.file.relative_to(tmp_path)}:{f.line}:{f.column} {f.module}" for f in found]

    return find


@pytest.mark.parametrize(
    "line",
    [f"import {GONE}", f"import {GONE}.part as x", f"from {GONE} import x", f"import os, {GONE}"],
)
def test_an_import_of_what_is_not_there_is_found(find, line):
    assert find(f"import os\n{line}\n") == [f"face.py:2:1 {GONE}"]


def test_imports_inside_of_functions_count(find):
    text = f"class FaceOp:\n    def start(self):\n        if self.x:\n            import {GONE}\n"
    assert find(text) == [f"face.py:4:13 {GONE}"]


@pytest.mark.parametrize(
    "text",
    [
        "import numpy, json, holoflow.operators.visualize.web",
        "try:\n    import {0}\nexcept ImportError:\n    import {0}2",
        "try:\n    import {0}\nexcept (ValueError, ModuleNotFoundError):\n    pass",
        "try:\n    import {0}\nexcept:\n    pass",
        "import contextlib\nwith contextlib.suppress(ImportError):\n    import {0}",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import {0}",
        "import typing\nif typing.TYPE_CHECKING:\n    from {0} import x",
        "import winreg",
        "this is no Python",
        "",
    ],
)
def test_what_the_code_can_do_without_does_not_count(find, text):
    assert find(text.format(GONE)) == []


@pytest.mark.parametrize(
    "text",
    [
        "try:\n    x = 1\nexcept ImportError:\n    pass\nelse:\n    import {}",
        "try:\n    import {}\nexcept ValueError:\n    pass",
        "try:\n    import {}\nfinally:\n    pass",
        "import contextlib\nwith contextlib.suppress(ValueError):\n    import {}",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    pass\nelse:\n    import {}",
    ],
)
def test_what_only_looks_like_it_counts(find, text):
    assert len(find(text.format(GONE))) == 1


def test_what_lies_beside_is_read_too(find):
    found = find(
        "from . import first\nfrom .second import x\nimport third_beside\n",
        first=f"import {GONE}1\nfrom . import face\n",
        second=f"from .first import y\nimport {GONE}2",
        third_beside=f"import {GONE}3",
        unused=f"import {GONE}4",
    )
    assert found == [
        f"first.py:1:1 {GONE}1",
        f"second.py:2:1 {GONE}2",
        f"third_beside.py:1:1 {GONE}3",
    ]


def test_packages_beside_are_read_too(find, tmp_path):
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "__init__.py").write_text(f"import {GONE}1")
    (tmp_path / "parts" / "inner.py").write_text(f"from .. import other\nimport {GONE}2")
    found = find("from .parts.inner import x\nfrom . import parts", other=f"import {GONE}3")
    assert [line.rpartition(" ")[2] for line in found] == [f"{GONE}{n}" for n in (3, 1, 2)]


def test_parts_of_a_namespace_are_looked_for(tmp_path, monkeypatch):
    (tmp_path / "spaced" / "there").mkdir(parents=True)
    (tmp_path / "spaced" / "there" / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    assert absent("spaced") is None
    assert absent("spaced.there.deeper") is None
    assert absent("spaced.gone.deeper") == "spaced.gone"
    assert absent(GONE) == GONE
    assert "spaced" not in sys.modules
