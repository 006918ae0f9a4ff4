"""Planning: turns a checked app into stages, processes and links. Pure functions."""

from holoflow.plan.plan import Plan, PlannedFlow, PlannedProcess, PlannedStage
from holoflow.plan.planner import plan

__all__ = ["Plan", "PlannedFlow", "PlannedProcess", "PlannedStage", "plan"]
