"""What a run leaves in its output folder: `report.json`, and `error.log` if it failed."""

from __future__ import annotations

import json
import math
import platform
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from holoflow.assets.source import without_password
from holoflow.core.errors import HoloflowError
from holoflow.core.files import write_whole
from holoflow.core.text import plain
from holoflow.report.diagnosis.decision import explain
from holoflow.report.diagnosis.finding import Explanation
from holoflow.report.numbers import explained, numbers
from holoflow.stats.snapshot import Sample, Snapshot, from_plain, to_plain

if TYPE_CHECKING:
    from holoflow.engine.control import RunOptions, RunResult
    from holoflow.plan import Plan

REPORT = "report.json"
ERROR_LOG = "error.log"
FORMAT = "holoflow run report"
VERSION = 1
MOST_BYTES = 128_000_000
"""Size of the largest report that is read; the curves of a run are bounded, however long it is."""

_LIBRARIES = (
    "holoflow", "numpy", "pydantic", "holoscan-cu12", "holoscan-cu13", "av", "onnxruntime",
    "opencv-python-headless", "pydicom", "torch",
)  # fmt: skip


@dataclass(frozen=True)
class RunReport:
    """Everything known about a run that has ended."""

    app: str
    started: str
    """Date and time with the offset from UTC: `2026-02-03T14:05:06+01:00`."""
    outcome: Literal["done", "failed", "interrupted"]
    engine: str
    failure: str | None
    """Which operator failed, on which frame, and the exception."""
    snapshot: Snapshot
    """The statistics at the end."""
    history: tuple[Sample, ...]
    """Samples for curves over the run."""
    options: Mapping[str, Any]
    plan: Mapping[str, Any]
    versions: Mapping[str, Any]


def report_of(plan: Plan, options: RunOptions, result: RunResult, started: datetime) -> RunReport:
    """Return the report of a run that has ended."""
    return RunReport(
        app=plan.app.name,
        started=started.isoformat(timespec="seconds"),
        outcome=result.outcome,
        engine=result.engine,
        failure=without_password(str(result.failure)) if result.failure is not None else None,
        snapshot=result.last,
        history=result.history,
        options=_masked(plain(options)),
        plan=_masked(plain(plan)),
        versions=_versions(),
    )


def _masked(value: Any) -> Any:
    """Return JSON-compatible data without the passwords in its addresses."""
    if isinstance(value, str):
        return without_password(value)
    if isinstance(value, Mapping):
        return {key: _masked(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_masked(item) for item in value]
    return value


def write_report(folder: Path, report: RunReport) -> Path:
    """Write `report` as JSON into `folder`, readable for its user only, and return its path.

    The file is written completely or not at all.

    Raises:
        OSError: It cannot be written.
    """
    path = folder / REPORT
    write_whole(path, to_json(report, explain(report.snapshot)))
    return path


def to_json(report: RunReport, explanation: Explanation) -> bytes:
    """Return the report as JSON in UTF-8, with each of its parts on a line of its own."""
    document = {
        "format": FORMAT,
        "version": VERSION,
        **_finite(to_plain(report)),
        "explanation": explained(explanation),
        "statistics": _finite(numbers(report.snapshot)),
    }
    lines = (
        f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False, allow_nan=False)}"
        for key, value in document.items()
    )
    # The text of an exception, or a path, may contain bytes that are not valid text.
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode("utf-8", "replace")


def read_report(path: Path) -> RunReport:
    """Return the report of a run.

    Args:
        path: The run's folder, or its `report.json`.

    Raises:
        HoloflowError: There is no report, or it is not valid.
    """
    file = path / REPORT if path.is_dir() else path
    document = _parse(file, _read(file))
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise HoloflowError(f"not a report of a run, such as `holoflow run` writes: {file}")
    if document.get("version") != VERSION:
        raise HoloflowError(
            f"a report of version {document.get('version')!r}, where this holoflow reads "
            f"version {VERSION}: {file}"
        )
    try:
        return from_plain(RunReport, {f.name: document.get(f.name) for f in fields(RunReport)})
    except HoloflowError as error:
        raise HoloflowError(f"broken report: {error.wrong}: {file}", error.right) from None


def write_error_log(folder: Path, error: BaseException | str) -> Path:
    """Write the traceback of `error`, or the text that it is, and return the file's path."""
    path = folder / ERROR_LOG
    text = error if isinstance(error, str) else "".join(traceback.format_exception(error))
    # backslashreplace: the text of an exception may contain bytes that are not valid text.
    write_whole(path, text.encode(errors="backslashreplace"), 0o666)
    return path


def _read(file: Path) -> bytes:
    if not file.exists():
        wanted = f"a run leaves {REPORT} in its folder" if file.name == REPORT else "no such file"
        raise HoloflowError("no report of a run", f"{wanted}: {file}")
    if not file.is_file():
        raise HoloflowError(f"not a file: {file}")
    try:
        with file.open("rb") as stream:
            content = stream.read(MOST_BYTES + 1)
    except OSError as error:
        raise HoloflowError(f"the report cannot be read: {error.strerror}: {file}") from None
    if len(content) > MOST_BYTES:
        raise HoloflowError(
            f"larger than any report of a run ({MOST_BYTES // 1_000_000} MB): {file}"
        )
    return content


def _parse(file: Path, content: bytes) -> Any:
    try:
        return json.loads(content, parse_constant=_number, parse_float=_number, parse_int=_integer)
    except (ValueError, RecursionError) as error:
        raise HoloflowError(f"broken JSON: {error}: {file}") from None


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:20]} is not a finite number")
    return value


def _integer(text: str) -> int:
    if len(text) > 19:
        raise ValueError(f"{text[:20]}… is too large")
    return int(text)


def _finite(value: Any) -> Any:
    """Return JSON-compatible data with None for numbers that are not finite."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version(), "platform": platform.platform()}
    return versions | {name: version for name in _LIBRARIES if (version := _version(name))}


def _version(library: str) -> str | None:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return None
