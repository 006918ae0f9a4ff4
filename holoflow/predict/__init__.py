"""Predicting an app on other hosts from what one run of it has measured; pure functions."""

from holoflow.predict.model import (
    FlowModel,
    FlowOutcome,
    LinkTimes,
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
    "FlowModel",
    "FlowOutcome",
    "LinkTimes",
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
