"""`inputs:` become flows: names found, types compared, nothing connected twice."""

from __future__ import annotations

from dataclasses import dataclass

from holoflow.app.describe import shown
from holoflow.app.document import Broken, Value, plain
from holoflow.app.drafts import Draft, Group, Port, Scope
from holoflow.app.format import InputPiece
from holoflow.app.graph import Endpoint, Flow
from holoflow.app.names import find_output
from holoflow.app.report import Report, short
from holoflow.app.shape import Words, check
from holoflow.errors import Location
from holoflow.ports import fits, numbered, type_name


@dataclass(frozen=True)
class Edge:
    """That one operator gets messages from another, whichever the ports."""

    source: Draft
    target: Draft
    back: bool
    """Declared to close a cycle."""
    at: Location


_NOTHING = InputPiece.model_validate({"from": ""})


@dataclass(frozen=True)
class Wired:
    """A flow, and what was written of it."""

    flow: Flow
    piece: InputPiece | None
    item: Value


class Wiring:
    """Connects operators."""

    def __init__(self, report: Report) -> None:
        """Nothing is connected yet."""
        self.wired: list[Wired] = []
        self.edges: list[Edge] = []
        self._report = report

    def connect(self, draft: Draft) -> None:
        """Connect the inputs of an operator."""
        inputs = draft.value.get("inputs")
        draft.unclear |= draft.ports is None
        if inputs is None or inputs.data is None:
            return
        if not isinstance(inputs.data, dict):
            draft.unclear = True
        if draft.ports is not None and draft.ports.source and inputs.mapping:
            wrong = f"{short(draft.local)} is a source and takes no inputs"
            self._report.add(draft.value.keys["inputs"], wrong, "remove its inputs")
            return
        for port, item in inputs.mapping.items():
            target = self._target(draft, port, inputs.keys[port])
            self._flows(draft.scope, port, item, [target])

    def connect_group(self, group: Group) -> None:
        """Connect the inputs of a reusable fragment."""
        inputs = group.value.get("inputs")
        if inputs is None or inputs.data is None:
            return
        if group.inputs is None or not isinstance(inputs.data, dict):
            for draft in group.members:
                draft.unclear = True
        for port, item in inputs.mapping.items():
            targets: list[Port] = []
            if group.inputs is not None and port not in group.inputs:
                kind = f"input of {short(group.local)}:"
                self._report.unknown(inputs.keys[port], kind, port, group.inputs)
                for draft in group.members:
                    draft.unclear = True
            elif group.inputs is not None:
                targets = group.inputs[port]
            self._flows(group.scope, port, item, targets)

    def _target(self, draft: Draft, port: str, at: Location) -> Port:
        ports = draft.ports
        if ports is None:
            return draft, None
        if port in ports.inputs:
            return draft, port
        if ports.open_inputs is not None and port.isidentifier():
            return draft, port
        if ports.open_inputs is not None:
            self._report.add(
                at, f"{short(port)} cannot be an input", "write a name such as image_2"
            )
        else:
            kind = f"input {short(port)} of {short(draft.local)}"
            self._report.add(at, f"unknown {kind}", self._report.suggestion(port, ports.inputs))
        draft.unclear = True
        return draft, None

    def _flows(self, scope: Scope, port: str, item: Value, targets: list[Port]) -> None:
        """Make the flows of input `port`: of one producer, or of a list of them."""
        right = f"write {port}: [OPERATOR, …]"
        if not isinstance(item.data, list):
            for draft, name in targets:
                ports = draft.ports
                if ports is None or name is None or ports.trigger == "all":
                    continue
                if ports.input(name).element is not None:
                    wrong = f"input {short(name)} of {short(draft.local)} takes a list"
                    self._report.add(item.at, wrong, right)
            self._flow(scope, port, item, targets)
            return
        wrong = "" if item.data else f"the list of input {short(port)} is empty"
        for draft, name in targets:
            if name and draft.ports is not None and draft.ports.input(name).element is None:
                wrong = f"input {short(name)} of {short(draft.local)} takes one flow, not a list"
                right = f"write {port}: OPERATOR; a list is for inputs of type list[...]"
        if wrong:
            self._report.add(item.at, wrong, right)
            for draft, name in targets:
                draft.unclear = True
                if name:
                    draft.connected[name] = item.at
            return
        for index, producer in enumerate(item.data):
            ends = [(draft, name and numbered(name, index)) for draft, name in targets]
            self._flow(scope, numbered(port, index), producer, ends)

    def _flow(self, scope: Scope, port: str, item: Value, targets: list[Port]) -> None:
        """Make the flows that `item`, the value of input `port`, describes."""
        piece, name = self._piece(port, item)
        source = None
        if name is not None and isinstance(name.data, str):
            source = find_output(scope, name.data, name.at, self._report)
        for target, target_port in targets:
            if target_port is not None:
                first = target.connected.get(target_port)
                if first is not None and target.scope is not scope:
                    wrong = f"input {short(target_port)} of {short(target.name)} is connected twice"
                    self._report.add(item.at, wrong, f"it already is at {first}")
                    continue
                target.connected[target_port] = item.at
            if source is None:
                target.unclear = True
                continue
            back = piece is not None and piece.back_edge
            if back and target.ports is not None and target.ports.trigger == "any":
                wrong = f"{short(target.local)} is called for each message of any input, so that "
                wrong += "what it sends would come back to it for ever"
                right = f"close the cycle at an operator that joins {short(port)} with other inputs"
                self._report.add(item.at, wrong, right)
            self.edges.append(Edge(source[0], target, back, item.at))
            if target_port is not None and source[1] is not None and name is not None:
                self._compare((source[0], source[1]), (target, target_port), name.at)
                said = piece or _NOTHING
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
                self.wired.append(Wired(flow, piece, item))

    def _piece(self, port: str, item: Value) -> tuple[InputPiece | None, Value | None]:
        """Return what an input says, and the value that names the producer."""
        if isinstance(item.data, str):
            return InputPiece.model_validate({"from": item.data}), item
        if isinstance(item.data, dict):
            words = Words("key", f" of input {short(port)}")
            return check(InputPiece, item, self._report, words), item.get("from")
        data = plain(item)
        if not isinstance(data, Broken):
            wrong = f"input {short(port)} cannot be {shown(data)}"
            self._report.add(item.at, wrong, "write OPERATOR, OPERATOR.PORT or {from: OPERATOR}")
        return None, None

    def _compare(self, source: tuple[Draft, str], target: tuple[Draft, str], at: Location) -> None:
        (producer, output), (consumer, port) = source, target
        if producer.ports is None or consumer.ports is None:
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
