"""What installed packages add: found by name, imported late, and broken without harm to others."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import jsonschema
import pytest
from support.plugins import OPERATOR, install, on_path
from typer.testing import CliRunner

from holoflow.app import TypeNameError, catalogue, load, plugins, templates
from holoflow.app.json_schema import fragment_schema, schema
from holoflow.app.mistakes import PluginError
from holoflow.cli import apps
from holoflow.cli.program import program
from holoflow.core.errors import AppError

TEMPLATE = """\
fragment: meter
inputs: {image: measure.image}
outputs: {reading: measure}
operators:
  measure: {type: audio.measure}
"""
APP = """\
app: demo
operators:
  scene: {type: capture.synthetic}
  meter: {use: meter, inputs: {image: scene.image}}
  results: {type: io.json_lines, inputs: {reading: meter.reading}}
"""
GOOD = {
    "operators": {"audio.measure": "good_audio.ops:MeasureOp"},
    "payloads": {"Reading": "good_audio.ops:Reading"},
    "fragments": {"meter": "good_audio.fragments"},
    "apps": {"listen": "good_audio.apps.listen"},
}
FILES = {
    "good_audio/__init__.py": "",
    "good_audio/ops.py": OPERATOR,
    "good_audio/fragments/meter.yaml": TEMPLATE,
    "good_audio/apps/listen/app.yaml": APP,
    "good_audio/apps/listen/apart.yaml": "extends: app.yaml\napp: apart\n",
}

Add = Callable[..., Path]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Path]:
    """Return a folder of installed packages, one of which is as it should be."""
    folder = tmp_path / "site"
    folder.mkdir()
    install(folder, "holoflow-audio", GOOD, FILES)
    with on_path(folder):
        yield folder


def invoke(*arguments: str) -> tuple[int, str, str]:
    ran = CliRunner().invoke(program, list(arguments))
    return ran.exit_code, ran.stdout, ran.stderr


def mistakes(folder: Path, text: str) -> str:
    path = folder / "wrong.yaml"
    path.write_text(text)
    with pytest.raises(AppError) as raised:
        load(path)
    return str(raised.value)


# -- what is added -------------------------------------------------------------------------------


def test_an_app_of_a_plugin_uses_its_template_and_its_operator(site: Path) -> None:
    app = load(apps.find("listen"))
    assert app.operators["meter.measure"].cls.__module__ == "good_audio.ops"
    assert [str(package) for package in app.plugins] == ["holoflow-audio 0.1"]
    assert apps.find("listen/apart").name == "apart.yaml"
    assert "listen" in apps.names()


def test_ops_say_which_package_an_operator_is_from(site: Path) -> None:
    code, listed, said = invoke("ops")
    line = next(line for line in listed.splitlines() if line.startswith("audio.measure"))
    assert line.endswith("Measure how bright an image is. (from holoflow-audio 0.1)")
    assert (code, said) == (0, "")
    found = {item["name"]: item for item in json.loads(invoke("ops", "list", "--json")[1])}
    assert found["audio.measure"]["package"] == "holoflow-audio"
    assert found["audio.measure"]["version"] == "0.1"
    assert found["capture.video"]["package"] == "holoflow"
    assert "from: holoflow-audio 0.1" in invoke("ops", "show", "audio.measure")[1]
    assert "audio.measure" in invoke("ops", "search", "how bright an image")[1]


def test_the_schema_knows_operators_and_templates_of_plugins(site: Path) -> None:
    validator = jsonschema.Draft202012Validator(schema())
    entry = {"type": "audio.measure", "with": {"step": 2}}
    assert validator.is_valid({"app": "a", "operators": {"m": entry, "f": {"use": "meter"}}})
    entry["with"] = {"step": "none"}
    assert not validator.is_valid({"app": "a", "operators": {"m": entry}})
    described = fragment_schema()["$defs"]["operator"]["properties"]["type"]["anyOf"]
    (own,) = [choice for choice in described if choice.get("const") == "audio.measure"]
    assert own["description"].endswith("(from holoflow-audio 0.1)")


def test_check_names_the_packages_that_an_app_uses(site: Path) -> None:
    code, said, _ = invoke("check", "listen")
    assert (code, said.splitlines()[1]) == (0, "uses holoflow-audio 0.1")
    assert json.loads(invoke("check", "listen", "--json")[1])["plugins"] == [
        {"name": "holoflow-audio", "version": "0.1"}
    ]


def test_plugins_lists_all_that_a_package_adds(site: Path) -> None:
    code, listed, said = invoke("plugins")
    assert (code, said) == (0, "")
    assert listed.splitlines() == [
        "holoflow-audio 0.1",
        "  operator           audio.measure",
        "  fragment template  meter",
        "  payload type       Reading",
        "  app                listen",
    ]


def test_nothing_is_imported_to_list_what_there_is(site: Path) -> None:
    looked = (
        "import sys\n"
        "from holoflow.app import catalogue, templates\n"
        "from holoflow.cli import apps\n"
        "assert 'audio.measure' in catalogue.names()\n"
        "assert catalogue.summary('audio.measure') == 'Measure how bright an image is.'\n"
        "assert 'meter' in templates.templates()[0]\n"
        "assert apps.find('listen').is_file()\n"
        "print([name for name in sys.modules if name.startswith('good_audio')])\n"
    )
    environment = {"PYTHONPATH": str(site), "PATH": ""}
    ran = subprocess.run(
        [sys.executable, "-c", looked], env=environment, capture_output=True, text=True
    )
    assert (ran.stdout, ran.stderr) == ("[]\n", "")


def test_starting_reads_no_metadata_of_plugins() -> None:
    looked = (
        "import sys, holoflow, holoflow.cli.program; print('holoflow.app.plugins' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", looked], capture_output=True, text=True)
    assert ran.stdout == "False\n"


# -- what is broken ------------------------------------------------------------------------------

USES = """\
app: a
operators:
  scene: {{type: capture.synthetic}}
  m: {{type: {}, inputs: {{image: scene.image}}}}
"""
BROKEN = {
    "import error": (
        "bad.fails",
        {"bad.py": "import no_such_library\n\n\nclass FailsOp: ...\n"},
        "operator 'bad.fails' of holoflow-bad 2.0 cannot be imported: ModuleNotFoundError: "
        "No module named 'no_such_library' in ",
    ),
    "exit": (
        "bad.fails",
        {"bad.py": "import sys\nsys.exit(3)\nclass FailsOp: ...\n"},
        "operator 'bad.fails' of holoflow-bad 2.0 cannot be imported: SystemExit: 3",
    ),
    "syntax": (
        "bad.fails",
        {"bad.py": "class FailsOp(:\n"},
        "operator 'bad.fails' of holoflow-bad 2.0 cannot be imported: SyntaxError",
    ),
    "no operator": (
        "bad.fails",
        {"bad.py": "class FailsOp: ...\n"},
        "operator 'bad.fails' of holoflow-bad 2.0 is not an operator: bad:FailsOp",
    ),
    "no class": (
        "bad.fails",
        {"bad.py": "class OtherOp: ...\n"},
        "operator 'bad.fails' of holoflow-bad 2.0 cannot be imported: AttributeError",
    ),
    "no module": (
        "bad.fails",
        {},
        "operator 'bad.fails' of holoflow-bad 2.0 cannot be imported: ModuleNotFoundError",
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_operator_is_named_with_its_package_and_all_others_work(
    site: Path, tmp_path: Path, kind: str
) -> None:
    name, files, wrong = BROKEN[kind]
    entries = {"operators": {name: "bad:FailsOp"}}
    install(site, "holoflow-bad", entries, files, version="2.0", requires="holoflow>=9")
    said = mistakes(tmp_path, USES.format(name))
    assert said.startswith(f"{tmp_path}/wrong.yaml:4:13: {wrong}")
    load(apps.find("listen"))
    code, listed, _ = invoke("ops")
    assert code == 0
    assert "audio.measure" in listed
    assert "capture.video" in listed
    classes, problems = catalogue.usable()
    assert "audio.measure" in classes
    assert name not in classes
    (problem,) = problems
    assert problem.startswith(wrong)
    assert jsonschema.Draft202012Validator(schema()).is_valid(
        {"app": "a", "operators": {"m": {"type": "audio.measure"}}}
    )
    code, listed, said = invoke("plugins")
    assert (code, "audio.measure" in listed) == (2, True)
    assert said.startswith(wrong)


def test_an_error_says_which_holoflow_a_package_asks_for(site: Path) -> None:
    files = {"bad.py": "from holoflow import GoneOp\nclass FailsOp(GoneOp): ...\n"}
    entries = {"operators": {"bad.fails": "bad:FailsOp"}}
    install(site, "holoflow-bad", entries, files, requires="holoflow<0.1")
    with pytest.raises(TypeNameError, match=r"it requires holoflow<0\.1, and this is holoflow 0\."):
        catalogue.find("bad.fails")


@pytest.mark.parametrize("files", [{}, {"bad.py": "class FailOp: ...\n"}])
def test_ops_tells_entries_that_point_at_nothing(site: Path, files: dict[str, str]) -> None:
    install(site, "holoflow-bad", {"operators": {"bad.fails": "bad:FailsOp"}}, files)
    code, listed, said = invoke("ops")
    assert (code, "bad.fails" in listed) == (0, False)
    assert said.startswith("operator 'bad.fails' of holoflow-bad 0.1 points at nothing: ")
    assert said.count("\n") == 1


def test_a_name_that_holoflow_has_is_refused_and_both_owners_are_named(site: Path) -> None:
    entries = {
        "operators": {"capture.video": "good_audio.ops:MeasureOp"},
        "fragments": {"web_view": "good_audio.fragments"},
        "payloads": {"Image": "good_audio.ops:Reading"},
        "apps": {"hello": "good_audio.apps.listen"},
    }
    install(site, "holoflow-taker", entries, {})
    assert catalogue.find("capture.video").__module__ == "holoflow.operators.capture.video"
    assert templates.templates()[0]["web_view"] == templates.shipped()["web_view"]
    assert apps.find("hello").is_relative_to(apps.shipped())
    said = invoke("plugins")[2].splitlines()
    assert len(said) == 4
    for line, name in zip(said, ("capture.video", "web_view", "Image", "hello"), strict=True):
        assert f"{name!r} of holoflow-taker 0.1 is left out: holoflow itself has one" in line
    assert "of holoflow-taker 0.1 is left out" in invoke("ops")[2]


def test_check_tells_an_app_that_a_plugin_wanted_the_name_of_its_operator(site: Path) -> None:
    entries = {"operators": {"io.json_lines": "good_audio.ops:MeasureOp"}}
    install(site, "holoflow-taker", entries, {})
    code, said, _ = invoke("check", "listen")
    assert code == 0
    assert "note: operator 'io.json_lines' of holoflow-taker 0.1 is left out" in said
    install(site, "holoflow-other", {"operators": {"io.npz": "good_audio.ops:MeasureOp"}}, {})
    assert "holoflow-other" not in invoke("check", "listen")[1]


def test_a_plugin_that_was_repaired_works_at_once(site: Path, tmp_path: Path) -> None:
    name = "bad.fails"
    install(site, "holoflow-bad", {"operators": {name: "bad:FailsOp"}}, {"bad.py": "1 / 0\n"})
    said = mistakes(tmp_path, USES.format(name))
    assert f"ZeroDivisionError: division by zero in {site}/bad.py:1" in said
    (site / "bad.py").write_text(OPERATOR.replace("MeasureOp", "FailsOp") + "# repaired\n")
    assert load(tmp_path / "wrong.yaml").operators["m"].cls.__name__ == "FailsOp"


def test_a_name_of_two_packages_is_refused_whichever_was_installed_first(
    site: Path, tmp_path: Path
) -> None:
    install(site, "aaa", {**GOOD, "operators": {"audio.measure": "good_audio.ops:MeasureOp"}}, {})
    wrong = "operator 'audio.measure' is in two packages, aaa 0.1 and holoflow-audio 0.1"
    assert f"{wrong}; uninstall one of them" in mistakes(tmp_path, USES.format("audio.measure"))
    text = "app: a\noperators:\n  m: {use: meter}\n"
    assert "fragment template 'meter' is in two packages, aaa 0.1" in mistakes(tmp_path, text)
    with pytest.raises(PluginError, match="app 'listen' is in two packages, aaa"):
        apps.find("listen")
    assert wrong in invoke("ops")[2]
    assert "capture.video" in catalogue.names()


@pytest.mark.parametrize("name", ["video", "Audio.measure", "a.b.c", "audio.é"])
def test_a_name_that_cannot_be_is_told(site: Path, name: str) -> None:
    install(site, "holoflow-bad", {"operators": {name: "good_audio.ops:MeasureOp"}}, {})
    assert f"operator {name!r} of holoflow-bad 0.1 has an invalid name" in invoke("ops")[2]
    assert name not in catalogue.names()


def test_payload_types_that_cannot_be_had_leave_the_others(site: Path) -> None:
    entries = {"Gone": "bad:Gone", "Plain": "bad:Plain", "Image": "bad:Plain"}
    install(site, "holoflow-bad", {"payloads": entries}, {"bad.py": "class Plain: ...\n"})
    types, problems = plugins.payload_types()
    assert [cls.__name__ for cls in types] == ["Reading"]
    image, gone, plain = map(str, problems)
    assert "payload type 'Image' of holoflow-bad 0.1 is left out" in image
    assert "payload type 'Gone' of holoflow-bad 0.1 cannot be imported: AttributeError" in gone
    assert (
        "'Plain' of holoflow-bad 0.1 is not a payload type: bad:Plain; holoflow-bad has to" in plain
    )


def test_templates_and_apps_that_are_not_there(site: Path, tmp_path: Path) -> None:
    entries = {"fragments": {"gone": "good_audio.fragments"}, "apps": {"away": "no_such.place"}}
    install(site, "holoflow-bad", entries, {})
    said = mistakes(tmp_path, "app: a\noperators:\n  m: {use: gone}\n")
    wrong = "fragment template 'gone' of holoflow-bad 0.1 points at nothing: there is no gone.yaml"
    assert wrong in said
    with pytest.raises(PluginError, match="app 'away' of holoflow-bad "):
        apps.find("away")
    assert wrong in invoke("schema", "--output", str(tmp_path / "schema.json"))[2]
    assert "meter" in templates.templates()[0]


@pytest.mark.parametrize("line", ["no equals sign", "\xff = ="])
def test_metadata_that_cannot_be_read_hides_no_other_package(site: Path, line: str) -> None:
    info = install(site, "holoflow-bad", {}, {})
    (info / "entry_points.txt").write_text(f"[holoflow.operators]\n{line}\n", encoding="latin-1")
    plugins.forget()
    assert "audio.measure" in catalogue.names()
    assert invoke("ops")[0] == 0


def test_an_older_installation_behind_another_is_not_seen(site: Path, tmp_path: Path) -> None:
    old = tmp_path / "old"
    install(old, "holoflow-audio", {"operators": {"audio.old": "good_audio.ops:MeasureOp"}}, {})
    sys.path.append(str(old))
    try:
        plugins.forget()
        assert "audio.old" not in catalogue.names()
        assert "audio.measure" in catalogue.names()
    finally:
        sys.path.remove(str(old))


def test_an_operator_of_a_package_that_is_not_installed_here(tmp_path: Path) -> None:
    said = mistakes(tmp_path, USES.format("radar.track"))
    assert f"no package in {sys.prefix} adds 'radar.track'" in said
