"""The page: whole, self-contained, and safe whatever names hold."""

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

from hypothesis import given, settings
from support import random_snapshots
from support.reports import report
from support.snapshots import faces, flow, operator, path

from holoflow.report.diagnosis.decision import explain
from holoflow.report.diagnosis.finding import Explanation, Finding
from holoflow.report.page import page, write_html
from holoflow.stats.snapshot import ParameterChange, Snapshot, Step

VOID = {"meta", "br", "link"}


class Checker(HTMLParser):
    """Reads a page; every element must be closed where it was opened."""

    def __init__(self):
        super().__init__()
        self.open, self.seen, self.words, self.attributes = [], [], [], []

    def handle_starttag(self, tag, attributes):
        self.seen.append(tag)
        self.attributes += attributes
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def read(content):
    checker = Checker()
    checker.feed(content.decode("utf-8"))
    checker.close()
    assert checker.open == []
    return checker


def made(snapshot, **others):
    known = report(snapshot, **others)
    return page(known, explain(known.snapshot))


def assert_safe(checker):
    assert not {"script", "iframe", "object", "img", "a "} & set(checker.seen)
    for name, value in checker.attributes:
        assert not name.startswith("on")
        assert name not in ("src", "style")
        assert name != "href" or value.startswith("#")


def test_a_page_says_what_limits_the_run_and_where_its_time_goes():
    checker = read(made(faces()))
    words = " ".join(checker.words)
    assert "detect: slow operator" in words
    assert explain(faces()).bottleneck.evidence in words
    for title in ("Budgets", "Graph", "Paths", "Operators", "Flows", "Over the run", "The run"):
        assert title in checker.words
    assert "1 of 1 missed" in words
    assert "waiting for its turn" in words
    assert "dropped: full" in words


def test_parameters_that_were_changed_are_listed_with_when():
    snapshot = faces()
    when = snapshot.time - snapshot.seconds + 2.5
    change = ParameterChange(when, "detect", "names", '["<b>"]', "[]")
    assert "Changes" not in read(made(snapshot)).words
    checker = read(made(replace(snapshot, changes=(change,))))
    words = " ".join(checker.words)
    assert '2.5 s detect.names ["<b>"] []' in words
    assert_safe(checker)


def test_every_path_has_pictures_that_say_what_they_show():
    content = made(faces()).decode()
    for shown in faces().paths:
        assert f"{shown.name}: end-to-end times of 300 frames; p50 " in content
        assert f"{shown.name}: end-to-end times over the run" in content
    assert "limit p99 50" in content


def test_the_style_that_the_policy_allows_is_the_one_on_the_page():
    content = made(faces()).decode()
    style = re.search(r"<style>(.*?)</style>", content, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"default-src &#x27;none&#x27;; style-src &#x27;sha256-{digest}&#x27;" in content
    assert "url(" not in style
    assert "@import" not in style


def test_every_class_of_the_page_has_a_style():
    style = re.search(r"<style>(.*?)</style>", made(faces()).decode(), re.DOTALL)[1]
    used = {c for n, v in read(made(faces())).attributes if n == "class" for c in v.split()}
    known = set(re.findall(r"\.([a-z][\w-]*)", style))
    # what the live page finds numbers by needs none
    found_by_scripts = {"operator", "flow", "rate", "took", "wait"}
    assert used - known - found_by_scripts <= {"tick", "use", "small"}


def test_names_are_text_wherever_they_stand():
    bad = "</script><script>alert('x')</script>\"onload=\"alert(2)"
    evil = replace(
        faces(),
        app=bad,
        operators=tuple(replace(o, name=bad + o.name, type=bad) for o in faces().operators),
        flows=tuple(
            replace(f, source=f"{bad}{f.source}", target=f"{bad}{f.target}") for f in faces().flows
        ),
        paths=tuple(
            replace(p, steps=tuple(replace(s, operator=bad + s.operator) for s in p.steps))
            for p in faces().paths
        ),
    )
    content = made(evil, failure=bad, options={bad: bad}, outcome="failed")
    assert_safe(read(content))
    assert b"<script" not in content
    finding = Finding("slow operator", bad, bad, (bad, f"`{bad}`"), 1.0)
    assert_safe(read(page(report(evil), Explanation(finding, (finding,), evil.paths[0]))))


def test_a_run_without_frames_shows_no_number_that_was_not_measured():
    nothing = Snapshot("faces", "a1b2", 1.79e9, 0.0, (), ())
    checker = read(made(nothing, samples=()))
    assert "No frame has come" in checker.words
    assert "Paths" not in checker.words
    content = made(replace(faces(), operators=(operator("camera", 0.0, frames=0),), flows=()))
    assert "not measured" in content.decode()


def test_forty_operators_in_two_fragments_with_a_cycle():
    names = [f"operator_{number}" for number in range(40)]
    flows = [flow(f"{a}.out", f"{b}.image") for a, b in pairwise(names)]
    flows += [flow("operator_30.out", "operator_10.back"), flow("operator_5.out", "operator_5.in")]
    steps = [Step("work", name, "image" if number else "") for number, name in enumerate(names)]
    many = replace(
        faces(),
        operators=tuple(
            operator(name, 0.001, fragment="edge" if number < 20 else "infer")
            for number, name in enumerate(names)
        ),
        flows=tuple(flows),
        paths=(path(*steps),),
    )
    content = made(many)
    assert (
        content.decode().count('class="operator critical"') == 80
    )  # in the wide and the tall picture
    read(content)


def test_it_is_written_beside_the_report(tmp_path):
    file = write_html(tmp_path, report(faces()))
    assert file == tmp_path / "report.html"
    assert file.read_bytes().startswith(b"<!DOCTYPE html>\n<html")


@settings(max_examples=60)
@given(random_snapshots.snapshots, random_snapshots.histories)
def test_no_snapshot_breaks_the_page(snapshot, samples):
    content = made(snapshot, samples=samples)
    checker = read(content)
    assert_safe(checker)
    assert "\x1b" not in content.decode()
    assert not re.search(r'="[^"]*\b(nan|inf)\b', content.decode())
