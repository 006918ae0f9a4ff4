"""Which operators of a run have copies, and whether these are threads or processes."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
from collections.abc import Iterable, Mapping

from holoflow.app.catalogue import reference
from holoflow.app.graph import Node
from holoflow.app.plugins import payload_types
from holoflow.core import log
from holoflow.core.errors import HoloflowError
from holoflow.core.operator import Operator
from holoflow.engine.build import Program
from holoflow.engine.copies import ThreadCopy, copies_of
from holoflow.engine.copy_process import CopyProcesses, CopySpec
from holoflow.engine.operator_stage import OperatorStage
from holoflow.engine.runner import OperatorRunner
from holoflow.link.links import port_types
from holoflow.link.wire import Types
from holoflow.stats.machine import cores


def copy_processes(program: Program) -> dict[str, CopyProcesses]:
    """Return the processes of the operators whose copies are processes, by name.

    Raises:
        HoloflowError: A class of them cannot be imported by another process.
    """
    nodes = program.plan.app.operators
    counts = {
        stage.runners[0].name: copies_of(nodes[stage.runners[0].name], cores())
        for stage in program.stages
        if isinstance(stage, OperatorStage) and stage.may_spread and _holds_lock(stage.runners[0])
    }
    if max(counts.values(), default=1) == 1:
        return {}
    added, _ = payload_types()
    declared = port_types(program.plan)
    types = Types.of([*declared, *added])
    found = {}
    for name, count in counts.items():
        if count > 1:
            runner = program.runners[name]
            spec = _copy_spec(nodes[name], runner, declared, guarded=program.control.guarded)
            found[name] = CopyProcesses(runner, spec, types, count)
    return found


def _holds_lock(runner: OperatorRunner) -> bool:
    """Whether an operator keeps the interpreter's lock in its calls, which are made one by one.

    Whether it takes batches is known once it has started, and they are made up here.
    """
    cls = type(runner.operator)
    return not cls.heavy and cls.batching is Operator.batching


def _copy_spec(
    node: Node, runner: OperatorRunner, types: Iterable[type], *, guarded: bool
) -> CopySpec:
    try:
        cls = reference(node.cls)
    except HoloflowError as error:
        raise HoloflowError(
            f"operator {node.name!r} has copies, each in a process of its own, but {error.wrong}",
            f"{error.right}, or set copies: 1",
        ) from None
    names = []
    for one in types:
        if dataclasses.is_dataclass(one):
            with contextlib.suppress(HoloflowError):  # it is an error once it is sent
                names.append(reference(one))
    context = runner.operator.context
    return CopySpec(
        name=node.name, cls=cls, parameters=dict(node.parameters), types=tuple(names),
        path=tuple(sys.path), log_level=log.lowest(),
        guarded=guarded, output=str(context.output.absolute()), generation=context.generation,
        lossless=context.lossless, web=context.web, threads=context.threads,
    )  # fmt: skip


def spread(program: Program, apart: Mapping[str, CopyProcesses]) -> None:
    """Let operators that have copies work on several frames at once; they have started.

    Args:
        program: What is run.
        apart: Operators whose copies are processes, by name.
    """
    available = cores()
    for stage in program.stages:
        if isinstance(stage, OperatorStage) and stage.may_spread:
            runner = stage.runners[0]
            processes = apart.get(runner.name)
            count = copies_of(program.plan.app.operators[runner.name], available)
            if processes is not None:
                stage.spread(processes.copies)
            elif count > 1:
                stage.spread([ThreadCopy(runner) for _ in range(count)])
