"""What docs/reference/app-format.md says is so."""

from __future__ import annotations

import re
from pathlib import Path

import jsonschema
import pytest

from holoflow.app.document import parse, plain
from holoflow.app.json_schema import fragment_schema, schema
from holoflow.app.mistakes import Report

TEXT = (Path(__file__).parents[3] / "docs" / "reference" / "app-format.md").read_text(
    encoding="utf-8"
)
BLOCKS = re.findall(r"```yaml\n(.*?)```", TEXT, flags=re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS, ids=[block.partition("\n")[0] for block in BLOCKS])
def test_every_example_fits_the_schema(block):
    made = fragment_schema() if block.startswith("fragment:") else schema()
    if block.startswith("operators:"):
        block = "app: example\n" + block
    report = Report()
    value = parse(block, "example", report)
    report.check()
    jsonschema.Draft202012Validator(made).validate(plain(value))
