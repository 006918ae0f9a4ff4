"""Advice: what would help in each case, best first."""

from __future__ import annotations

from holoflow.core.text import listed
from holoflow.report.diagnosis.facts import Facts, ProcessFacts, StageFacts
from holoflow.report.measures import finite, share
from holoflow.stats.snapshot import FlowStats, OperatorStats, Step

BATCH = (
    "a smaller batch, or a shorter `wait` in its `batching()`",
    "a source that gives frames faster",
)


def slow_operator(
    facts: Facts, stats: OperatorStats, stage: StageFacts, process: ProcessFacts | None
) -> tuple[str, ...]:
    """Return advice for an operator that takes long."""
    cpu = stage.cpu if process is None else process.computes(stage)
    made = _apart(stats, stage, process)
    if process is not None and process.workers == 1 and process.working > stage.utilisation + 0.1:
        made.append(
            f"`scheduler: {{kind: event, workers: 2}}`, so that {stats.name} need not stand still "
            f"while others work"
        )
    model = stats.heavy and facts.downstream([stats.name]) != {stats.name}
    if model:
        made.append(f"a smaller model in {stats.name}, or smaller images for it")
    if stats.batch > 1:
        made.append(f"larger batches: {stats.name} takes {stats.batch} frames at once now")
    elif model:
        made.append(f"batches, if {stats.name} can take several frames at once (`batching()`)")
    elif cpu is not None and cpu <= 0.3:
        made.append(f"less waiting in {stats.name}: it sleeps, or waits for a device or a disk")
    if cpu is not None and cpu >= 0.7 and not model:
        made.append(
            "NumPy, Numba or native code in place of loops in Python"
            if process is not None and process.gil >= 0.5
            else f"less work for each frame in {stats.name}: smaller images, or fewer of them"
        )
    blocking = [f for f in facts.flows_into(stats.name) if f.queue and f.lossless]
    if blocking and facts.real_time(stats.name):
        made.append(
            f"`queue: 1` and `when_full: drop_oldest` on {blocking[0].target}, where the newest "
            f"frame counts and not every one"
        )
    return tuple(made or [f"less work for each frame in {stats.name}"])


def _apart(stats: OperatorStats, stage: StageFacts, process: ProcessFacts | None) -> list[str]:
    """Return advice to have operators of a stage work at the same time, if that gains something."""
    if len(stage.operators) < 2 or share(stats.busy, stage.busy) > 0.75:
        return []
    if finite(stats.busy) / max(stats.calls, 1) < 0.2e-3:
        return []  # passing frames on would take longer
    few = "" if process is None or process.workers > 1 else " (and `scheduler: {workers: 2}`)"
    return [
        f"`fuse: off` for {stats.name}, so that it and what it shares a stage with work at the "
        f"same time{few}"
    ]


def slow_source(stage: StageFacts, process: ProcessFacts | None) -> tuple[str, ...]:
    """Return advice for a source that delivers frames more slowly than they are taken."""
    cpu = stage.cpu if process is None else process.computes(stage)
    made = _apart(stage.busiest, stage, process)
    if cpu is not None and cpu <= 0.3:
        made.append("a faster disk, device or connection: it waits for its data")
        made.append("reading ahead, so that the next frame is there when it is asked for")
    elif cpu is not None and cpu >= 0.7:
        made.append("less to decode or to compute for each frame: another format, smaller images")
    else:
        made.append("faster reading: another format, smaller frames, a faster disk")
    return tuple(made)


def interpreter_lock(names: list[str]) -> tuple[str, ...]:
    """Return advice for threads that want Python's interpreter lock at the same time."""
    return (
        f"{listed(names)} in `fragments` of their own: each is a process with a lock of its own",
        "NumPy, Numba or native code, which give the lock up, in place of loops in Python",
    )


def stuck_call() -> tuple[str, ...]:
    """Return advice for a call that does not return."""
    return (
        "finding out what it waits for: a device, a lock, the network; a timeout there makes it an "
        "error that can be skipped",
    )


def crowded_machine(*, own: bool) -> tuple[str, ...]:
    """Return advice for threads that wait for cores."""
    if own:
        return (
            "more cores, or a second host for some of the `fragments`",
            "fewer threads in its libraries (`OMP_NUM_THREADS=1`), where they have too many",
        )
    return (
        "ending the other programs, or giving the app more cores",
        "a higher priority for it (`nice`)",
    )


def too_few_workers(process: ProcessFacts) -> tuple[str, ...]:
    """Return advice for stages that wait for a worker."""
    at_work = [stage for stage in process.stages if stage.utilisation >= 0.05]
    computing = sum(stage.computing for stage in at_work)
    wanted = max(len(at_work), process.workers + 1)
    wanted = min(wanted, len(process.stages))  # more would be idle
    if computing > 0.6 * process.working:  # threads that compute need a core each
        wanted = max(min(wanted, process.cores), process.workers + 1)
    more = f"`scheduler: {{kind: event, workers: {wanted}}}`"
    if process.scheduler == "inline":
        more = f"the engine holoscan (`--engine holoscan`) with {more}"
    if process.gil >= 0.5 and computing > 0.6 * process.working:
        return (
            f"{listed([stage.busiest.name for stage in at_work])} in `fragments` of their own, "
            f"as threads that compute in Python run one at a time whatever the workers",
            "NumPy, Numba or native code in place of loops in Python, and then " + more,
        )
    return (more,)


def late_partner(facts: Facts, stats: OperatorStats, late: FlowStats) -> tuple[str, ...]:
    """Return advice for a join with an input that comes late."""
    above = [facts.operators[n] for n in facts.upstream([late.producer]) if n in facts.operators]
    working = [b for b in above if not b.source]
    slowest = max(working, key=lambda b: (finite(b.working.mean), b.name), default=None)
    wait = finite(stats.waiting.partner) / max(stats.calls, 1)
    made = []
    if slowest is not None and finite(slowest.working.mean) >= 0.3 * wait:
        made.append(f"a faster {slowest.name}, through which they come")
    else:
        sources = sorted(source.name for source in above if source.source)
        made.append(f"a higher rate or a shorter delay of {listed(sources) or late.producer}")
    if any(flow.dropped.get("late", 0) for flow in facts.flows_into(stats.name)):
        made.append(f"a greater `tolerance` in the `sync` of {stats.name}")
    made.append(
        f"a `timeout` in the `sync` of {stats.name}, or a `Latest` input, where it can do without "
        f"the partner of the very moment"
    )
    return tuple(made)


def crossing(step: Step, flow: FlowStats | None) -> tuple[str, ...]:
    """Return advice for the cost of crossing from process to process."""
    smaller = "smaller messages: cropped, scaled down or compressed before they cross"
    together = f"{step.operator} in the fragment of what feeds it, where it need not be apart"
    if step.kind == "serialise":
        return (
            "messages made in memory of the link (`self.allocate`), which need no copy",
            smaller,
            together,
        )
    shared = flow is not None and flow.link == "shared_memory"
    return (
        *(() if shared else ("both fragments on one host, where shared memory links them",)),
        smaller,
        together,
    )


def scheduling(process: ProcessFacts) -> tuple[str, ...]:
    """Return advice for messages that cost more to pass on than to process."""
    made = []
    if len(process.stages) > 1:
        fused = any(len(stage.operators) > 1 for stage in process.stages)
        how = "" if fused else "`fuse: auto`, and "
        made.append(f"fewer stages: {how}no queues of their own between cheap operators")
    made.append("more in each message: blocks of samples, several frames")
    if process.scheduler in ("event", "multithread") and process.workers > 1:
        made.append("`scheduler: {kind: greedy}`, which passes messages on with less overhead")
    return tuple(made)


def full_queue(facts: Facts, flow: FlowStats) -> tuple[str, ...]:
    """Return advice for a queue that is full most of the time."""
    shorter = f"`queue: 1` on {flow.target}: what waits there only gets older"
    if not flow.lossless:
        return (shorter, f"a faster {flow.consumer}")
    newest = (
        f"`queue: 1` and `when_full: drop_oldest` on {flow.target}, where the newest frame "
        f"counts and not every one"
    )
    return (
        *((newest,) if facts.real_time(flow.consumer) else ()),
        f"a shorter queue there, now {flow.queue}: it makes frames later and none of them faster",
        f"a faster {flow.consumer}",
    )
