from __future__ import annotations

from pathlib import Path

import pytest

from holoflow.core.errors import HoloflowError
from holoflow.deploy import context
from holoflow.deploy.context import app_files, copy_app


@pytest.fixture
def app(tmp_path: Path) -> Path:
    for name in (
        "app.yaml", "ops.py", "test_ops.py", "README.md", ".git/config", "runs/1/report.json",
        "data/model.bin", "data/big.mp4", "__pycache__/ops.pyc", "inner/test_x.py",
    ):  # fmt: skip
        path = tmp_path / "app" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"12345")
    return tmp_path / "app"


def test_tests_runs_and_hidden_files_stay_out(app: Path) -> None:
    assert list(app_files(app)) == [
        "app.yaml", "ops.py", "data/big.mp4", "data/model.bin", "inner/test_x.py",
    ]  # fmt: skip


def test_keys_of_a_deployment_stay_out(app: Path) -> None:
    before = list(app_files(app))
    for name in ("keys/edge.json", "deployed/keys/edge.json", "deployed/secrets.yaml"):
        (app / name).parent.mkdir(parents=True, exist_ok=True)
        (app / name).write_text("{}")
    assert list(app_files(app)) == before


def test_private_keys_and_links_that_lead_out_stay_out(app: Path, tmp_path: Path) -> None:
    for name in ("id_rsa", "server.pem", "tls.key"):
        (app / name).write_text("secret")
    assert not {"id_rsa", "server.pem", "tls.key"} & set(app_files(app))
    (tmp_path / "elsewhere").write_text("secret")
    (app / "within.txt").symlink_to("app.yaml")
    assert "within.txt" in list(app_files(app))
    (app / "data.txt").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(HoloflowError, match="leads out of the folder of the app"):
        list(app_files(app))


def test_a_file_says_what_else_stays_out(app: Path) -> None:
    (app / ".containerignore").write_text("# recordings\n*.mp4\ninner/\n")
    assert list(app_files(app)) == ["app.yaml", "ops.py", "data/model.bin"]


def test_what_is_copied_can_be_read_by_anybody(app: Path, tmp_path: Path) -> None:
    (app / "ops.py").chmod(0o600)
    (app / "tool.sh").write_text("x")
    (app / "tool.sh").chmod(0o700)
    target = tmp_path / "target"
    assert copy_app(app, target) == 5 * 5 + 1
    assert (target / "ops.py").stat().st_mode & 0o777 == 0o644
    assert (target / "tool.sh").stat().st_mode & 0o777 == 0o755


def test_a_folder_of_recordings_is_refused(
    app: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(context, "LARGEST", 24)
    (app / "data/big.mp4").write_bytes(b"123456")
    with pytest.raises(HoloflowError, match=r"data/big\.mp4 is the largest.*\.containerignore"):
        copy_app(app, tmp_path / "target")
    assert not (tmp_path / "target").exists()
