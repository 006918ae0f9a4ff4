import json

import jsonschema
import pytest
from typer.testing import CliRunner

from holoflow.app.json_schema import fragment_schema, schema
from holoflow.cli.program import program


def invoke(*arguments):
    return CliRunner().invoke(program, ["schema", *arguments])


@pytest.mark.parametrize(
    ("options", "expected"), [((), schema), (("--fragment",), fragment_schema)]
)
def test_it_is_printed_or_written(options, expected, tmp_path):
    printed = invoke(*options)
    assert printed.exit_code == 0
    made = json.loads(printed.stdout)
    assert made == expected()
    jsonschema.Draft202012Validator.check_schema(made)
    file = tmp_path / "schema.json"
    assert invoke(*options, "--output", str(file)).stdout == ""
    assert json.loads(file.read_text()) == made


def test_a_file_that_cannot_be_written(tmp_path):
    done = invoke("--output", str(tmp_path))
    assert done.exit_code == 2
    assert "cannot write the schema" in done.stderr
