"""Simulating an app on several hosts, from what a run of it has measured; pure functions."""

from holoflow.predict.model import (
    Carriage,
    FlowModel,
    FlowOutcome,
    Model,
    Outcome,
    PathOutcome,
    ProcessModel,
    Resource,
    SourcePace,
    StageModel,
    Work,
)
from holoflow.predict.run import simulate

__all__ = [
    "Carriage",
    "FlowModel",
    "FlowOutcome",
    "Model",
    "Outcome",
    "PathOutcome",
    "ProcessModel",
    "Resource",
    "SourcePace",
    "StageModel",
    "Work",
    "simulate",
]  # fmt: skip
