"""Simulating an app on several hosts, from what a run of it has measured; pure functions."""

from holoflow.plan.simulate.model import (
    Carriage,
    FlowModel,
    Model,
    Pace,
    ProcessModel,
    StageModel,
    Work,
)
from holoflow.plan.simulate.outcome import FlowOutcome, Outcome, PathOutcome, Resource
from holoflow.plan.simulate.run import simulate

__all__ = [
    "Carriage", "FlowModel", "FlowOutcome", "Model", "Outcome", "Pace", "PathOutcome",
    "ProcessModel", "Resource", "StageModel", "Work", "simulate",
]  # fmt: skip
