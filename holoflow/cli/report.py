"""What a run leaves in its output folder: `report.json`, and `error.log` where it failed."""

from __future__ import annotations

import json
import platform
import traceback
from datetime import datetime
from importlib import metadata
from pathlib import Path

from holoflow.cli.plain_data import plain
from holoflow.engine.result import RunOptions, RunResult
from holoflow.plan import Plan

REPORT = "report.json"
ERROR_LOG = "error.log"

_LIBRARIES = (
    "holoflow", "numpy", "pydantic", "holoscan-cu12", "holoscan-cu13", "av", "onnxruntime",
    "opencv-python-headless", "pydicom", "torch",
)  # fmt: skip


def write_report(
    folder: Path, plan: Plan, options: RunOptions, result: RunResult, started: datetime
) -> Path:
    """Write all that is known of a run as JSON; returns the file."""
    report = {
        "app": plan.app.name,
        "started": started.isoformat(timespec="seconds"),
        "result": plain(result),
        "options": plain(options),
        "plan": plain(plan),
        "versions": _versions(),
    }
    path = folder / REPORT
    path.write_text(json.dumps(report, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    return path


def write_error_log(folder: Path, error: BaseException) -> Path:
    """Write the traceback of `error`; returns the file."""
    path = folder / ERROR_LOG
    # backslashreplace: what an exception says may hold bytes that were never text
    with path.open("w", encoding="utf-8", errors="backslashreplace") as file:
        file.writelines(traceback.format_exception(error))
    return path


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version(), "platform": platform.platform()}
    return versions | {name: version for name in _LIBRARIES if (version := _version(name))}


def _version(library: str) -> str | None:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return None
