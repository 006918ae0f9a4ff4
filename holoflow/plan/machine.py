"""The machine: whether it has the resources that its fragments need, and what each gets."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from holoflow.app.graph import Fragment
from holoflow.app.mistakes import short
from holoflow.app.unresolved import conflicts
from holoflow.core.errors import AppError, Location, Mistake
from holoflow.core.text import size
from holoflow.plan.hosts import crosses_hosts, find_faults, listeners
from holoflow.plan.plan import Plan, PlannedProcess, fragment_of


@dataclass(frozen=True)
class MachineResources:
    """What a process may use on this machine."""

    cores: frozenset[int]
    """Numbers of the CPU cores."""
    gpus: tuple[str, ...]
    """What CUDA calls each GPU (`0`, `GPU-…`), by its number."""
    memory: int
    """Bytes; a container's limit counts."""


def read_machine(
    root: Path = Path("/"), environment: Mapping[str, str] = os.environ
) -> MachineResources:
    """Return the resources of this machine.

    Args:
        root: Root of the file system to inspect.
        environment: Environment variables, which may restrict the visible GPUs.
    """
    return MachineResources(_cores(), _gpus(root, environment), _memory(root))


def _cores() -> frozenset[int]:
    try:
        return frozenset(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        return frozenset(range(os.cpu_count() or 1))


def _gpus(root: Path, environment: Mapping[str, str]) -> tuple[str, ...]:
    count = _devices(root / "dev", r"nvidia\d+") or _devices(root / "proc/driver/nvidia/gpus", ".*")
    count = count or _listed()  # such as in WSL, which has neither
    visible = environment.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return tuple(map(str, range(count)))
    found = []
    for name in map(str.strip, visible.split(",")):
        # CUDA uses those before the first that it does not know.
        if not (name.startswith(("GPU-", "MIG-")) or (name.isdecimal() and int(name) < count)):
            break
        found.append(name)
    return tuple(found if count else ())


def _devices(folder: Path, pattern: str) -> int:
    try:
        return sum(re.fullmatch(pattern, name) is not None for name in os.listdir(folder))
    except OSError:
        return 0


def _listed() -> int:
    command = shutil.which("nvidia-smi")
    if command is None:
        return 0
    try:
        listed = subprocess.run(
            [command, "-L"], capture_output=True, text=True, timeout=10, check=False
        ).stdout
    except (OSError, subprocess.SubprocessError, UnicodeError):
        return 0
    return sum(line.startswith("GPU ") for line in listed.splitlines())


def _memory(root: Path) -> int:
    there = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for file in ("memory.max", "memory/memory.limit_in_bytes"):  # control groups, new and old
        try:
            there = min(there, int((root / "sys/fs/cgroup" / file).read_text()))
        except (OSError, ValueError):  # not there, or no limit
            continue
    return there


def require_placement(plan: Plan) -> None:
    """Raise `AppError` if this machine cannot run the fragments of `plan` that are here."""
    mistakes = check_placement(plan, read_machine())
    if mistakes:
        raise AppError(mistakes)


def check_placement(plan: Plan, machine: MachineResources) -> list[Mistake]:
    """Return the reasons why the fragments of `plan` that are here cannot run on `machine`."""
    start = Location(str(plan.app.path or plan.app.name))
    here = [process for process in plan.processes if is_here(plan, process.fragment)]
    places = {name: f.location or start for name, f in plan.app.fragments.items()}
    found = []
    for process in here:
        at = places.get(process.fragment, start)
        found += [Mistake(at, *words) for words in _lacks(process, machine)]
        # The operators of each host were checked when the app was read, but hosts may be joined.
        places.update(dict.fromkeys(process.placement.operators, at))
    operators = [plan.app.operators[name] for p in here for name in p.placement.operators]
    for conflict in conflicts([process.placement for process in here], operators):
        found.append(Mistake(places[conflict.name], conflict.wrong, conflict.right))
    found += [Mistake(places[name], wrong, right) for name, wrong, right in _apart(plan)]
    return found


def is_here(plan: Plan, fragment: str) -> bool:
    """Whether `fragment` is started here; every fragment is if the plan does not say."""
    return plan.here is None or fragment in plan.here or not plan.app.fragments


def cores_of(plan: Plan, fragment: Fragment, machine: MachineResources) -> frozenset[int]:
    """Return the CPU cores that the process of `fragment` may use.

    Without cores of its own these are all cores but the exclusive ones of other fragments; if
    none are left, all cores.
    """
    if fragment.cores:
        return frozenset(fragment.cores)
    taken = {
        core
        for other in plan.app.fragments.values()
        if other.exclusive and is_here(plan, other.name)
        for core in other.cores
    }
    return machine.cores - taken or machine.cores


def environment_of(fragment: Fragment, machine: MachineResources) -> dict[str, str]:
    """Return the environment variables of the process of `fragment`, including its only GPU."""
    variables = dict(fragment.environment)
    if fragment.gpu is not None:
        variables["CUDA_VISIBLE_DEVICES"] = machine.gpus[fragment.gpu]
    return variables


def _lacks(process: PlannedProcess, machine: MachineResources) -> Iterator[tuple[str, str]]:
    """Yield what `process` needs and `machine` lacks."""
    fragment, whose = process.placement, f"fragment {short(process.fragment)}"
    if fragment.gpu is not None and fragment.gpu >= len(machine.gpus):
        there = _numbers(range(len(machine.gpus)), "GPU")
        yield f"{whose} needs GPU {fragment.gpu}", f"this machine has {there}"
    there = f"this machine has {_numbers(machine.cores, 'core')}"
    absent = set(fragment.cores) - machine.cores
    if absent:
        yield f"{whose} needs {_numbers(absent, 'core')}", there
    absent = set(process.scheduler.cores) - machine.cores - absent
    if absent:
        yield f"the scheduler of {whose} needs {_numbers(absent, 'core')}", there
    if fragment.memory is not None and fragment.memory > machine.memory:
        wrong = f"{whose} may use {size(fragment.memory)} of memory"
        yield wrong, f"this machine has {size(machine.memory)}"


def _apart(plan: Plan) -> Iterator[tuple[str, str, str]]:
    """Yield mistakes between fragments here and elsewhere: name of a fragment, wrong, right."""
    here = plan.here or frozenset()
    for flow in plan.flows:
        if flow.link != "shared_memory" or not crosses_hosts(plan, flow):
            continue
        ends = [fragment_of(plan.app, end.operator) for end in (flow.source, flow.target)]
        for name in here.intersection(ends):
            wrong = f"only one end of the flow from {str(flow.source)!r} to {str(flow.target)!r}, "
            wrong += "which shared memory carries, is started here"
            yield name, wrong, "start both fragments together, or write link: auto"
    yield from find_faults(plan)
    owners: dict[int, str] = {}
    for name in listeners(plan):
        port = plan.app.fragments[name].port
        if name in here and port is not None:
            owner = owners.setdefault(port, name)
            if owner != name:
                wrong = f"fragments {short(owner)} and {short(name)} both listen on port {port}"
                yield name, wrong, "give one of them another"


def _numbers(numbers: range | set[int] | frozenset[int], noun: str) -> str:
    """Return `no GPU`, `GPU 0`, `cores 0, 1`, `cores 0 to 63`."""
    ordered = sorted(numbers)
    if len(ordered) < 2:
        return f"{noun} {ordered[0]}" if ordered else f"no {noun}"
    if len(ordered) > 2 and ordered == list(range(ordered[0], ordered[-1] + 1)):
        return f"{noun}s {ordered[0]} to {ordered[-1]}"
    listed = ", ".join(map(str, ordered[:8])) + (", …" if len(ordered) > 8 else "")
    return f"{noun}s {listed}"
