"""The part of a plan that one process runs."""

from __future__ import annotations

from dataclasses import replace

from holoflow.plan.plan import Plan, PlannedFlow


def part(plan: Plan, fragment: str) -> Plan:
    """Return what the process of `fragment` runs: its operators, and all flows that touch them.

    Flows that lead to or come from another fragment have only one end among the operators.
    `app.flows` stays whole: it says how all of the app hangs together. Budgets belong to the
    fragment where they end.
    """
    (process,) = [process for process in plan.processes if process.fragment == fragment]
    inside = set(process.placement.operators)
    app = replace(
        plan.app,
        operators={name: node for name, node in plan.app.operators.items() if name in inside},
        budgets=tuple(budget for budget in plan.app.budgets if budget.target in inside),
        scheduler=process.scheduler,
    )
    flows = tuple(f for f in plan.flows if {f.source.operator, f.target.operator} & inside)
    return replace(plan, app=app, processes=(process,), flows=flows, notices=())


def leaves(plan: Plan, flow: PlannedFlow) -> bool:
    """Whether `flow` leads out of the part that `plan` is."""
    return flow.target.operator not in plan.app.operators


def enters(plan: Plan, flow: PlannedFlow) -> bool:
    """Whether `flow` comes from outside of the part that `plan` is."""
    return flow.source.operator not in plan.app.operators
