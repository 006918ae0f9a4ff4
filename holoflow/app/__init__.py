"""Reading of app files: YAML text becomes a checked app."""

from holoflow.app import catalogue
from holoflow.app.load import load
from holoflow.app.mistakes import TypeNameError

__all__ = ["TypeNameError", "catalogue", "load"]
