"""Reading of app files: YAML text becomes a checked app."""

from holoflow.app import catalogue
from holoflow.app.json_schema import fragment_schema, schema
from holoflow.app.load import load
from holoflow.app.mistakes import TypeNameError

__all__ = ["TypeNameError", "catalogue", "fragment_schema", "load", "schema"]
