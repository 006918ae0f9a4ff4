import json
import re


def test_a_right_app(holoflow):
    checked = holoflow("check", ".")
    assert (checked.returncode, checked.stderr) == (0, "")
    assert checked.stdout.startswith(". is valid: 3 operators, 2 flows, ")


def test_a_right_app_as_json(holoflow):
    verdict = json.loads(holoflow("check", "app.yaml", "--json").stdout)
    assert (verdict["right"], verdict["app"], verdict["operators"]) == (True, "numbers", 3)


def test_every_mistake_is_a_line_on_stdout_and_there_is_nothing_else(holoflow, folder):
    app = folder / "app.yaml"
    app.write_text(app.read_text().replace("KeepOp", "KepOp").replace("until: ", "untill: ", 1))
    checked = holoflow("check", ".")
    assert (checked.returncode, checked.stderr) == (2, "")
    lines = checked.stdout.splitlines()
    assert len(lines) == 2
    assert all(re.match(r"\S*app\.yaml:\d+:\d+: ", line) for line in lines)
    as_json = holoflow("check", ".", "--json")
    assert as_json.returncode == 2
    verdict = json.loads(as_json.stdout)
    assert verdict["right"] is False
    places = [f"{m['file']}:{m['line']}:{m['column']}" for m in verdict["mistakes"]]
    assert places == [line.partition(": ")[0] for line in lines]


def test_what_this_machine_lacks_is_a_note_and_stops_a_run(holoflow, folder):
    app = folder / "app.yaml"
    text = app.read_text() + "fragments:\n  all: {operators: [count, work, keep], cores: [99999]}\n"
    app.write_text(text)
    checked = holoflow("check", ".")
    assert checked.returncode == 0
    (note,) = [line for line in checked.stdout.splitlines() if line.startswith("note: on this ")]
    line = len(text.splitlines())
    wrong = f"app.yaml:{line}:3: fragment 'all' needs core 99999; this machine has core"
    assert note.startswith(f"note: on this machine: {wrong}")
    stopped = holoflow("run", ".", "--output", "results")
    assert (stopped.returncode, stopped.stdout) == (2, "")
    assert stopped.stderr.startswith(wrong)
    assert not (folder / "results").exists()


def test_settings_are_checked_as_part_of_the_app(holoflow):
    checked = holoflow("check", ".", "--set", "until=many")
    assert checked.returncode == 2
    assert "many" in checked.stdout
