"""The examples that the docstrings give are right."""

import importlib
import inspect
import pkgutil
import textwrap

import pytest
from ruamel.yaml import YAML

from holoflow import Operator
from holoflow.operators import preprocess

MODULES = [m.name for m in pkgutil.iter_modules(preprocess.__path__) if not m.name.startswith("_")]


@pytest.mark.parametrize("name", MODULES)
def test_the_example_makes_the_operator(name):
    module = importlib.import_module(f"holoflow.operators.preprocess.{name}")
    (operator,) = (
        value
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, Operator) and value is not Operator
    )
    example = textwrap.dedent(inspect.getdoc(operator).split("Example:\n")[1])
    (entry,) = YAML(typ="safe").load(example).values()

    assert operator.__name__ == f"{name.capitalize()}Op"
    assert entry["type"] == f"preprocess.{name}"
    assert entry["inputs"].keys() == operator.ports().inputs.keys()
    made = operator.from_app(entry.get("with", {}))
    for parameter, value in entry.get("with", {}).items():
        given = getattr(made, parameter)
        assert (list(given) if isinstance(given, tuple) else given) == value
