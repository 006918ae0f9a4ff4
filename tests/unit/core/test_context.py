"""What operators ask of the run."""

import logging

from holoflow import OperatorContext


def test_a_warning_comes_once(caplog):
    context = OperatorContext()
    with caplog.at_level(logging.WARNING):
        for number in range(3):
            context.warn_once("%d boxes are none", number)
            context.warn_once("another")
    assert [record.getMessage() for record in caplog.records] == [
        "0 boxes are none (logged once)", "another (logged once)",
    ]  # fmt: skip
    OperatorContext().warn_once("another")
    assert len(caplog.records) == 3
