"""Engines: run a plan."""

from holoflow.engine.control import Failure, RunOptions, RunResult, Stopper
from holoflow.engine.execute import execute

__all__ = ["Failure", "RunOptions", "RunResult", "Stopper", "execute"]
