"""Engines: run a plan."""

from holoflow.engine.execute import execute
from holoflow.engine.result import Failure, RunOptions, RunResult, Stopper

__all__ = ["Failure", "RunOptions", "RunResult", "Stopper", "execute"]
