import logging
import warnings

import pytest

from holoflow.core import log


@pytest.fixture
def shown():
    return []


def lines(records):
    return [log.line(record) for record in records]


def test_operators_are_named_and_libraries_are_held_to_warnings(shown):
    with log.logged_to(shown.append, "debug"):
        logging.getLogger("holoflow.operator.camera").debug("3 of %d", 4)
        logging.getLogger("somelibrary").info("chatter")
        logging.getLogger("somelibrary").warning("beware")
    assert lines(shown) == ["debug camera: 3 of 4", "warning somelibrary: beware"]


def test_the_level_counts(shown):
    with log.logged_to(shown.append, "error"):
        logging.getLogger("holoflow.operator.camera").warning("beware")
        logging.getLogger("somelibrary").warning("beware")
    assert shown == []


def test_logging_is_as_it_was_afterwards(shown):
    root, own = logging.getLogger(), logging.getLogger("holoflow")
    before = root.level, own.level, list(root.handlers)
    with log.logged_to(shown.append, "debug"):
        pass
    assert (root.level, own.level, list(root.handlers)) == before


def test_python_warnings_are_shown_as_logs(shown):
    with log.logged_to(shown.append, "info"), warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        warnings.warn("old stuff", UserWarning, stacklevel=1)
    assert "old stuff" in lines(shown)[0]


def test_a_line_has_the_traceback_and_no_control_codes(shown):
    with log.logged_to(shown.append, "info"):
        try:
            raise ValueError("no \x1b[1m")
        except ValueError:
            logging.getLogger("holoflow.operator.detect").exception("failed")
    (line,) = lines(shown)
    assert line.startswith("error detect: failed\n| Traceback")
    assert line.endswith("ValueError: no \\x1b[1m")


def test_a_wrong_format_does_not_raise_into_the_operator(shown, capsys):
    def show(record):
        shown.append(log.line(record))

    record = logging.LogRecord("holoflow", logging.INFO, "", 0, "%d frames", ("many",), None)
    with log.logged_to(show, "info"):
        logging.getLogger().handlers[-1].handle(record)
    assert shown == []
    assert "TypeError" in capsys.readouterr().err


def test_a_line_of_several_processes_begins_with_the_fragment():
    said = {"msg": "3 lost", "levelname": "WARNING", "fragment": "edge"}
    logged = logging.makeLogRecord({"name": "holoflow.operator.camera", **said})
    assert log.line(logged) == "[edge] warning camera: 3 lost"
    assert log.line(logging.makeLogRecord({"name": "", **said})) == "[edge] 3 lost"
