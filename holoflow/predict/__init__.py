"""Predicting an app on other hosts from what one run of it has measured; pure functions."""

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
