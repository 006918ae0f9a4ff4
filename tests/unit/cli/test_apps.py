import pytest

from holoflow.cli import apps
from holoflow.core.errors import HoloflowError


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    folder = tmp_path / "shipped"
    for name in ("faces", "hello", "ultrasound"):
        (folder / name).mkdir(parents=True)
        (folder / name / "app.yaml").write_text(f"app: {name}\n")
    (folder / "notes").mkdir()
    monkeypatch.setattr(apps, "shipped", lambda: folder)
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    return folder


def test_names_are_the_folders_that_hold_an_app(shipped):
    assert apps.names() == ["faces", "hello", "ultrasound"]


def test_a_name_is_the_file_of_the_app_that_ships(shipped):
    assert apps.find("faces") == shipped / "faces" / "app.yaml"


def test_other_files_beside_it_have_its_name_before_theirs(shipped, tmp_path):
    other = shipped / "faces" / "apart.yaml"
    other.write_text("extends: app.yaml\n")
    assert apps.find("faces/apart") == other
    assert apps.names() == ["faces", "hello", "ultrasound"]
    own = tmp_path / "here" / "faces" / "apart"
    own.parent.mkdir()
    own.write_text("app: mine\n")
    assert apps.find("faces/apart").resolve() == own
    with pytest.raises(HoloflowError, match="there is no file 'hello/"):
        apps.find("hello/../faces/apart")


def test_a_file_is_taken_as_it_is(shipped, tmp_path):
    file = tmp_path / "mine.yml"
    file.write_text("app: mine\n")
    assert apps.find(str(file)) == file


def test_a_folder_is_its_app_file(shipped, tmp_path):
    (tmp_path / "here" / "faces").mkdir()
    own = tmp_path / "here" / "faces" / "app.yaml"
    own.write_text("app: faces\n")
    assert apps.find("faces").resolve() == own
    assert apps.find(str(tmp_path / "here" / "faces")) == own


def test_a_folder_without_an_app_does_not_hide_an_app_that_ships(shipped, tmp_path):
    (tmp_path / "here" / "faces").mkdir()
    assert apps.find("faces") == shipped / "faces" / "app.yaml"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("facse", "no app 'facse' (did you mean 'faces'?)"),
        ("zzz", "no app 'zzz'; give"),
        ("zzz", "faces, hello, ultrasound"),
        ("facse.yaml", "no file 'facse.yaml' (did you mean 'faces'?)"),
        ("some/where", "no file 'some/where'"),
        ("", "no app ''"),
        ("x" * 5000, "no app 'xxx"),
        ("zero\0byte", r"no app 'zero\x00byte'"),
    ],
)
def test_what_is_not_there_is_said_with_what_is(shipped, asked, said):
    with pytest.raises(HoloflowError) as raised:
        apps.find(asked)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_folder_without_an_app_is_an_error_of_its_own(shipped, tmp_path):
    with pytest.raises(HoloflowError, match=r"has no app\.yaml"):
        apps.find(str(tmp_path))
