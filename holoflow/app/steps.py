"""Whether inputs that are paired in order of arrival can fall out of step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from holoflow.app.graph import Flow, Node, WhenFull
from holoflow.app.origins import Origins
from holoflow.app.report import Report, short
from holoflow.quantity import FREQUENCY_UNITS, parse_quantity


def check_steps(
    nodes: Mapping[str, Node], flows: Sequence[Flow], when_full: WhenFull, report: Report
) -> None:
    """Report joins in order of arrival that are known to pair messages of different moments.

    `when_full` is what happens at a full queue where a flow does not say.
    """
    origins = Origins(nodes, flows)
    for name, node in nodes.items():
        if origins.pairing(name) != "arrival" or node.sync is not None or node.location is None:
            continue
        triggers = origins.triggers(name)
        ways = [origins.upstream(flow) for flow in triggers]
        reasons = list(_unlike_rates(origins, nodes, triggers))
        # What is missing before the ways part is missing on all of them.
        apart = ways[0].union(*ways) - ways[0].intersection(*ways)
        lossy = {f for f in apart if (f.when_full or when_full) != "block"}
        reasons += [reason for flow in triggers for reason in _uneven(origins, flow, lossy)]
        if reasons:
            wrong = (
                f"the inputs of {short(name)} come from different sources and would be paired in "
                f"order of arrival, but {reasons[0]}"
            )
            leader = triggers[0].target.port
            right = (
                f"write sync: {{leader: {leader}, tolerance: 20ms}} to pair them by time, or "
                f"sync: arrival to pair them so all the same"
            )
            report.add(triggers[1].location or node.location, wrong, right)


def _unlike_rates(
    origins: Origins, nodes: Mapping[str, Node], triggers: Sequence[Flow]
) -> Iterator[str]:
    rates: dict[str, float] = {}
    for flow in triggers:
        origin = origins.origin(flow.source.operator)
        rate = None if origin is None else _rate(nodes[origin])
        if origin is not None and rate is not None:
            rates[origin] = rate
    if len(set(rates.values())) > 1:
        listed = " and ".join(f"{short(name)} {rate:g}" for name, rate in rates.items())
        yield f"their rates are unlike: {listed} a second"


def _rate(node: Node) -> float | None:
    """Return the frames a second that a source's parameter `rate` declares, if it has one."""
    fields = node.cls.parameters().model_fields  # type: ignore[attr-defined]
    if "rate" not in fields:
        return None
    given = node.parameters.get("rate", fields["rate"].default)
    try:
        return parse_quantity(given, FREQUENCY_UNITS, "30hz", bare=True)
    except ValueError:
        return None


def _uneven(origins: Origins, flow: Flow, lossy: set[Flow]) -> Iterator[str]:
    """Yield why not every frame of its source comes as one message of `flow`."""
    for step in sorted(origins.upstream(flow), key=str):
        if step in lossy:
            yield f"the flow from {short(str(step.source))} drops messages when it is full"
        name = step.source.operator
        ports, node = origins.ports(name), origins.node(name)
        if ports is None or ports.source:
            continue
        if ports.generator:
            yield f"{short(name)} may send several messages for one"
        elif origins.merges(name):
            yield f"{short(name)} sends what comes to any of its inputs"
        elif ports.outputs[step.source.port].optional:
            yield f"{short(name)} may send nothing for a frame"
        elif node.on_error == "skip":
            yield f"{short(name)} skips frames that it fails on"
        elif origins.pairing(name) == "time":
            yield f"{short(name)} drops frames that find no partner"
