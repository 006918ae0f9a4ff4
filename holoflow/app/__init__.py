"""Reading: a YAML file becomes a checked app."""

from holoflow.app import catalogue
from holoflow.app.errors import TypeNameError
from holoflow.app.load import load
from holoflow.app.schema import fragment_schema, schema

__all__ = ["TypeNameError", "catalogue", "fragment_schema", "load", "schema"]
