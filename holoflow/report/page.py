"""The report as an HTML page: one file without scripts that loads nothing."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from functools import cache
from importlib import resources
from pathlib import Path

from holoflow.core import text
from holoflow.core.files import write_whole
from holoflow.core.markup import Child, Html, el
from holoflow.plan.draw import style
from holoflow.report import measures
from holoflow.report.diagnosis.decision import NO_FRAME, explain
from holoflow.report.diagnosis.finding import Explanation
from holoflow.report.page_parts import PARTS, evidence
from holoflow.report.run_report import RunReport

PAGE = "report.html"


def write_html(folder: Path, report: RunReport) -> Path:
    """Write the page of `report` into `folder` and return its path.

    Raises:
        OSError: It cannot be written.
    """
    path = folder / PAGE
    write_whole(path, page(report, explain(report.snapshot)))
    return path


def page(report: RunReport, explanation: Explanation) -> bytes:
    """Return the page as UTF-8."""
    css = _style()
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    sections = [
        (title, content)
        for title, part in PARTS.items()
        if (content := list(part(report, explanation)))
    ]
    document = el(
        "html",
        el(
            "head",
            el("meta", charset="utf-8"),
            # Nothing may be loaded or executed, whatever the names of operators contain.
            el(
                "meta",
                http_equiv="Content-Security-Policy",
                content=f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; "
                "form-action 'none'",
            ),
            el("meta", name="viewport", content="width=device-width, initial-scale=1"),
            el("meta", name="color-scheme", content="light dark"),
            el("title", f"{report.app}: report of a run"),
            el("style", Html(css)),
        ),
        el(
            "body",
            el("header", *_header(report, explanation, [title for title, _ in sections])),
            el(
                "main",
                *(
                    el("section", el("h2", title, id=_anchor(title)), *content)
                    for title, content in sections
                ),
            ),
        ),
        lang="en",
    )
    return f"<!DOCTYPE html>\n{document}\n".encode("utf-8", "replace")


@cache
def _style() -> str:
    own = (resources.files(__package__) / "page.css").read_text(encoding="utf-8")
    return own + style()


def _anchor(title: str) -> str:
    return title.lower().replace(" ", "-")


def _header(report: RunReport, explanation: Explanation, titles: list[str]) -> Iterator[Child]:
    last = report.snapshot
    yield el("h1", report.app)
    yield el("p", f"A run of {report.started}, {last.run}", class_="soft")
    yield el(
        "dl",
        *(el("div", el("dt", name), el("dd", value)) for name, value in _facts(report)),
        class_="facts",
    )
    if report.failure is not None:
        yield el("div", el("strong", "Failed"), el("p", report.failure), class_="verdict failed")
    yield _verdict(explanation)
    yield el(
        "nav",
        *(el("a", title, href=f"#{_anchor(title)}") for title in titles),
        aria_label="Parts of the report",
    )


def _facts(report: RunReport) -> Iterator[tuple[str, Child]]:
    last = report.snapshot
    frames = measures.source_frames(last)
    kind = "good" if report.outcome == "done" else "bad"
    yield "outcome", el("span", report.outcome, class_=kind)
    yield "frames", text.count(frames)
    yield "time", text.duration(last.seconds)
    yield "frames/s", text.number(frames / last.seconds if frames and last.seconds > 0 else None)
    for name in ("p50", "p99"):
        slowest = max((path.end_to_end for path in last.paths), key=lambda t: t.mean, default=None)
        if slowest is not None and slowest.count:
            yield f"latency {name}, ms", measures.statistic(slowest, name)
    lost = measures.total_dropped(last)
    yield "dropped", text.count(sum(lost.values()))
    judged = [budget for budget in last.budgets if budget.judged]
    if judged:
        missed = sum(not budget.kept for budget in judged)
        words = f"{missed} of {len(judged)} missed" if missed else "kept"
        yield "budgets", el("span", words, class_="bad" if missed else "good")
    yield "engine", report.engine


def _verdict(explanation: Explanation) -> Html:
    found = explanation.bottleneck
    if found.cause == "unknown":
        come = "No frame has come" if found.evidence == NO_FRAME else "Frames are not counted"
        title, kind = come, "verdict"
    elif found.cause == "nothing":
        title, kind = "Nothing holds it back", "verdict fine"
    else:
        title, kind = f"{found.where}: {found.cause}", "verdict"
    return el("div", el("strong", title), *evidence(found), class_=kind)
