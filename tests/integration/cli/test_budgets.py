import pytest

APP = """
app: numbers
schema: 1
budgets:
  - {{from: count, to: keep, max: {limit}, {more}}}
operators:
  count: {{type: ./operators.py:CountOp, with: {{until: 20}}}}
  work: {{type: ./operators.py:WorkOp, inputs: {{number: count}}}}
  keep: {{type: ./operators.py:KeepOp, inputs: {{number: work}}}}
"""


@pytest.mark.parametrize(
    ("limit", "more", "status"),
    [
        ("1ns", "fail: true", 3),
        ("1ns", "fail: false", 0),
        ("1ns", "when_missed: stop", 3),
        ("10min", "fail: true", 0),
        ("10min", "when_missed: stop", 0),
    ],
)
def test_the_exit_status_says_what_the_app_asks_for(holoflow, folder, limit, more, status):
    (folder / "app.yaml").write_text(APP.format(limit=limit, more=more))
    ran = holoflow("run", ".", "--output", "out")
    assert ran.returncode == status, ran.stderr
    assert ("budget count → keep missed: max " in ran.stdout + ran.stderr) == (limit == "1ns")
    report = holoflow("report", "out")
    assert report.returncode == 0
    (line,) = [line for line in report.stdout.splitlines() if line.startswith("count → keep  max")]
    assert line.endswith("missed" if limit == "1ns" else "kept")


def test_an_operator_that_fails_says_more_than_a_budget(holoflow, folder):
    text = APP.format(limit="1ns", more="fail: true")
    text = text.replace("inputs: {number: count}", "inputs: {number: count}, with: {fail_at: 3}")
    (folder / "app.yaml").write_text(text)
    assert holoflow("run", ".").returncode == 1


def test_raw_calls_are_kept_and_named(holoflow, folder):
    ran = holoflow("run", ".", "--set", "until=20", "--output", "out", "--trace", "frames=5")
    assert ran.returncode == 0, ran.stderr
    assert "trace: out/records.csv\ntrace: out/trace.pftrace\n" in ran.stdout
    rows = (folder / "out" / "records.csv").read_text().splitlines()
    assert len(rows) == 1 + 3 * 5


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--trace", "5"), "write frames=N"),
        (("--trace", "frames=5", "--tracking", "off"), "there is nothing to record"),
        (("--metrics", "here"), "write a port, such as 9464"),
    ],
)
def test_what_cannot_be_asked_for(holoflow, options, words):
    ran = holoflow("run", ".", "--set", "until=5", *options)
    assert ran.returncode == 2
    assert words in " ".join(ran.stderr.replace("│", " ").split())
    assert "Traceback" not in ran.stderr
