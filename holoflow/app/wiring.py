"""Turns `inputs:` into flows: resolves names, compares types, finds double connections."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from holoflow.app.document import Broken, Value, plain
from holoflow.app.format import InputSchema
from holoflow.app.graph import START_OP, Endpoint, Flow, Fragment
from holoflow.app.mistakes import Report, short, shown
from holoflow.app.unresolved import Scope, TemplateUse, UnresolvedOperator, UnresolvedPort
from holoflow.app.validation import Wording, check
from holoflow.core.errors import Location
from holoflow.core.ports import base, fits, numbered, type_name
from holoflow.core.text import choices


def find_output(scope: Scope, text: str, at: Location, report: Report) -> UnresolvedPort | None:
    """Return the output port that `text` names in `scope`; report it and return None if none."""
    name, dot, port = text.partition(".")
    thing = scope.names.get(name)
    if thing is None:
        report.unknown(at, "operator", name, scope.names)
        return None
    if isinstance(thing, UnresolvedOperator):
        if thing.ports is None:
            return thing, None
        if thing.ports.unknown:
            if not dot:
                right = f"write {name}.PORT, as its outputs are not known on this machine"
                report.add(at, f"{short(name)} may have several outputs", right)
            return thing, port or None
        return thing, _choose(
            "output", name, port if dot else None, thing.ports.outputs, at, report
        )
    if thing.outputs is None:
        return None
    chosen = _choose("output", name, port if dot else None, thing.outputs, at, report)
    return thing.outputs[chosen] if chosen is not None else None


def find_inputs(scope: Scope, text: str, at: Location, report: Report) -> list[UnresolvedPort]:
    """Return the input ports that `text` names in `scope`; report it and return none if wrong."""
    name, dot, port = text.partition(".")
    thing = scope.names.get(name)
    if thing is None:
        report.unknown(at, "operator", name, scope.names)
        return []
    if isinstance(thing, UnresolvedOperator):
        if thing.ports is None:
            return [(thing, port if dot else None)]
        if dot and thing.ports.open_inputs is not None and port.isidentifier():
            return [(thing, port)]
        return [
            (thing, _choose("input", name, port if dot else None, thing.ports.inputs, at, report))
        ]
    if thing.inputs is None:
        return []
    chosen = _choose("input", name, port if dot else None, thing.inputs, at, report)
    return thing.inputs[chosen] if chosen is not None else []


def _choose(
    kind: str, name: str, port: str | None, ports: Collection[str], at: Location, report: Report
) -> str | None:
    """Return the requested one of the `ports` of `name`: `port`, or the only one."""
    if port in ports:
        return port
    if port is not None:
        owner = f"{kind} {short(port)} of {short(name)}"
        right = f"{short(name)} has no {kind}s" if not ports else report.suggestion(port, ports)
        report.add(at, f"unknown {owner}", right)
    elif len(ports) == 1:
        return next(iter(ports))
    elif ports:
        right = f"write {choices((f'{name}.{port}' for port in ports), ' or ')}"
        report.add(at, f"{short(name)} has several {kind}s", right)
    else:
        report.add(at, f"{short(name)} has no {kind}s", "name another operator")
    return None


@dataclass(frozen=True)
class OperatorEdge:
    """A connection from one operator to another, whatever the ports."""

    source: UnresolvedOperator
    target: UnresolvedOperator
    back: bool
    """Declared to close a cycle."""
    at: Location


_NOTHING = InputSchema.model_validate({"from": ""})
_START = "start_op"
"""How a file names Holoscan's own start operator, unless one of the app's is called so."""
_NUMBERED = re.compile(r"\w+:[0-9]+")


@dataclass(frozen=True)
class Wired:
    """A flow and its entry in the file."""

    flow: Flow
    entry: InputSchema | None
    item: Value


class Wiring:
    """Connects operators."""

    def __init__(self, report: Report) -> None:
        self.wired: list[Wired] = []
        self.edges: list[OperatorEdge] = []
        self._report = report

    def connect(self, unresolved: UnresolvedOperator) -> None:
        """Connect the inputs of an operator, and note what it is called after."""
        self._order(unresolved)
        inputs = unresolved.value.get("inputs")
        unresolved.unclear |= unresolved.ports is None
        if inputs is None or inputs.data is None:
            return
        if not isinstance(inputs.data, dict):
            unresolved.unclear = True
        if unresolved.ports is not None and unresolved.ports.source and inputs.mapping:
            wrong = f"{short(unresolved.local)} is a source and takes no inputs"
            self._report.add(unresolved.value.keys["inputs"], wrong, "remove its inputs")
            return
        for port, item in inputs.mapping.items():
            target = self._target(unresolved, port, inputs.keys[port])
            self._flows(unresolved.scope, port, item, [target])

    def _order(self, unresolved: UnresolvedOperator) -> None:
        """Note which operators an operator is called after."""
        after = unresolved.value.get("after")
        found = []
        for item in after.data if after is not None and isinstance(after.data, list) else ():
            thing = unresolved.scope.names.get(item.text)
            if isinstance(thing, UnresolvedOperator):
                found.append(thing.name)
            elif item.text == _START:
                found.append(START_OP)
            elif isinstance(item.data, str):
                known = (*unresolved.scope.names, _START)
                self._report.unknown(item.at, "operator", item.text, known)
        unresolved.after = tuple(dict.fromkeys(found))

    def connect_group(self, group: TemplateUse) -> None:
        """Connect the inputs of a used fragment template."""
        inputs = group.value.get("inputs")
        if inputs is None or inputs.data is None:
            return
        if group.inputs is None or not isinstance(inputs.data, dict):
            for unresolved in group.members:
                unresolved.unclear = True
        for port, item in inputs.mapping.items():
            targets: list[UnresolvedPort] = []
            if group.inputs is not None and port not in group.inputs:
                kind = f"input of {short(group.local)}:"
                self._report.unknown(inputs.keys[port], kind, port, group.inputs)
                for unresolved in group.members:
                    unresolved.unclear = True
            elif group.inputs is not None:
                targets = group.inputs[port]
            self._flows(group.scope, port, item, targets)

    def _target(self, unresolved: UnresolvedOperator, port: str, at: Location) -> UnresolvedPort:
        ports = unresolved.ports
        if ports is None:
            return unresolved, None
        if port in ports.inputs or ports.unknown:
            return unresolved, port
        several = ports.inputs.get(base(port)) if unresolved.is_holoscan else None
        if several is not None and several.element is not None and _NUMBERED.fullmatch(port):
            return unresolved, port
        if ports.open_inputs is not None and port.isidentifier():
            return unresolved, port
        if ports.open_inputs is not None:
            self._report.add(
                at, f"{short(port)} cannot be an input", "write a name such as image_2"
            )
        else:
            kind = f"input {short(port)} of {short(unresolved.local)}"
            self._report.add(at, f"unknown {kind}", self._report.suggestion(port, ports.inputs))
        unresolved.unclear = True
        return unresolved, None

    def _flows(self, scope: Scope, port: str, item: Value, targets: list[UnresolvedPort]) -> None:
        """Make the flows of input `port`, from one producer or from a list of them."""
        right = f"write {port}: [OPERATOR, …]"
        if not isinstance(item.data, list):
            for unresolved, name in targets:
                ports = unresolved.ports
                if ports is None or name is None or ports.trigger == "all":
                    continue
                if ports.input(name).element is not None:
                    wrong = f"input {short(name)} of {short(unresolved.local)} takes a list"
                    self._report.add(item.at, wrong, right)
            self._flow(scope, port, item, targets)
            return
        wrong = "" if item.data else f"the list of input {short(port)} is empty"
        for unresolved, name in targets:
            if (
                name
                and unresolved.ports is not None
                and not unresolved.ports.unknown
                and unresolved.ports.input(name).element is None
            ):
                wrong = (
                    f"input {short(name)} of {short(unresolved.local)} takes one flow, not a list"
                )
                lists = "whose size is not one" if unresolved.is_holoscan else "of type list[...]"
                right = f"write {port}: OPERATOR; a list is for inputs {lists}"
        if wrong:
            self._report.add(item.at, wrong, right)
            for unresolved, name in targets:
                unresolved.unclear = True
                if name:
                    unresolved.connected[name] = item.at
            return
        for index, producer in enumerate(item.data):
            ends = [(unresolved, name and numbered(name, index)) for unresolved, name in targets]
            self._flow(scope, numbered(port, index), producer, ends)

    def _flow(self, scope: Scope, port: str, item: Value, targets: list[UnresolvedPort]) -> None:
        """Make the flows that `item`, the value of input `port`, describes."""
        entry, name = self._entry(port, item)
        source = None
        if name is not None and isinstance(name.data, str):
            source = find_output(scope, name.data, name.at, self._report)
        for target, target_port in targets:
            if target_port is not None:
                first = target.connected.get(target_port)
                if first is not None:
                    wrong = f"input {short(target_port)} of {short(target.name)} is connected twice"
                    self._report.add(item.at, wrong, f"it already is at {first}")
                    continue
                target.connected[target_port] = item.at
            if source is None:
                target.unclear = True
                continue
            back = entry is not None and entry.back_edge
            if back and target.ports is not None and target.ports.trigger == "any":
                wrong = f"{short(target.local)} is called for each message of any input, so that "
                wrong += "what it sends would come back to it forever"
                right = f"close the cycle at an operator that joins {short(port)} with other inputs"
                self._report.add(item.at, wrong, right)
            if "dynamic_flows" in source[0].value.keys and not target.is_holoscan:
                wrong = f"{short(source[0].local)} chooses its flows, which lead to Holoscan's "
                wrong += f"operators only, and {short(target.local)} is none"
                right = "let one of these be between them"
                self._report.add(item.at, wrong, right)
            if back and target_port is not None:
                target.back_edges.add(target_port)
            self.edges.append(OperatorEdge(source[0], target, back, item.at))
            if target_port is not None and source[1] is not None and name is not None:
                self._compare((source[0], source[1]), (target, target_port), name.at)
                said = entry or _NOTHING
                flow = Flow(
                    Endpoint(source[0].name, source[1]),
                    Endpoint(target.name, target_port),
                    queue=said.queue,
                    when_full=said.when_full,
                    back_edge=back,
                    compress=said.compress,
                    quality=said.quality,
                    encrypt=said.encrypt,
                    location=item.at,
                )
                self.wired.append(Wired(flow, entry, item))

    def _entry(self, port: str, item: Value) -> tuple[InputSchema | None, Value | None]:
        """Return the entry of an input, and the value that names the producer."""
        if isinstance(item.data, str):
            return InputSchema.model_validate({"from": item.data}), item
        if isinstance(item.data, dict):
            words = Wording("key", f" of input {short(port)}")
            return check(InputSchema, item, self._report, words), item.get("from")
        data = plain(item)
        if not isinstance(data, Broken):
            wrong = f"input {short(port)} cannot be {shown(data)}"
            self._report.add(item.at, wrong, "write OPERATOR, OPERATOR.PORT or {from: OPERATOR}")
        return None, None

    def _compare(
        self,
        source: tuple[UnresolvedOperator, str],
        target: tuple[UnresolvedOperator, str],
        at: Location,
    ) -> None:
        (producer, output), (consumer, port) = source, target
        if producer.ports is None or consumer.ports is None or producer.ports.unknown:
            return
        produced = producer.ports.outputs[output].type
        consumed = consumer.ports.type_of(port)
        try:
            fit = fits(produced, consumed)
        except TypeError:  # a type that cannot be compared, such as a protocol
            return
        if not fit:
            right = f"input {short(port)} of {short(consumer.local)} takes {type_name(consumed)}"
            element = consumer.ports.input(port).element
            if element is not None and fits(produced, element.type):
                right += f", so write a list: {port}: [{producer.local}.{output}]"
            self._report.add(at, f"{short(producer.local)} sends {type_name(produced)}", right)


def check_order(
    unresolved_operators: Sequence[UnresolvedOperator],
    fragments: Mapping[str, Fragment],
    report: Report,
) -> None:
    """Report operators that cannot be called `after` another: Holoscan has no such flow."""
    known = {unresolved.name: unresolved for unresolved in unresolved_operators}
    place = {name: f.name for f in fragments.values() for name in f.operators}
    for target in unresolved_operators:
        after = target.value.get("after")
        if after is None or target.cls is None or not target.is_holoscan:
            continue
        for name in target.after:
            source = known.get(name)
            if source is None or source.cls is None:
                continue
            who = f"{short(target.local)} after {short(source.local)}"
            if not source.is_holoscan:
                wrong = f"{who}, which is not one of Holoscan's operators"
                report.add(after.at, wrong, "let it receive what that one sends")
            elif place.get(name) != place.get(target.name):
                wrong = f"{who}, which is in another fragment"
                report.add(after.at, wrong, "place both in one fragment")
            elif source.ports and source.ports.outputs and target.ports and target.ports.inputs:
                wrong = f"{who}: one has outputs and the other inputs, so that messages order them"
                report.add(after.at, wrong, "Holoscan has no execution flow there; use inputs:")
