"""Changes of live parameters while the app runs: checked at once, made between two frames."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from holoflow.app.graph import Node
from holoflow.core.errors import HoloflowError, ParameterError, describe, parts
from holoflow.core.operator import LiveParameter, Operator
from holoflow.core.parameters import as_json, live_parameters, parsed, schema, written
from holoflow.core.text import choices, suggestion
from holoflow.engine.operator_stage import OperatorStage
from holoflow.engine.runner import OperatorRunner
from holoflow.engine.stage import Stage
from holoflow.stats.snapshot import ParameterChange

MOST = 256
"""Changes that are remembered, the newest of each parameter among them; a slider that is dragged
makes hundreds."""

_log = logging.getLogger("holoflow.parameters")


class Changes:
    """The changes of one run. Callable from any thread."""

    def __init__(self, stages: Mapping[str, Stage], nodes: Mapping[str, Node]) -> None:
        """Change the operators of `stages`, given by the names that they have among `nodes`."""
        self._stages = stages
        self._values: dict[tuple[str, str], str] = {}
        """Values as JSON, as in an app file, of what has been changed."""
        self._nodes = nodes
        self._pending: dict[tuple[str, str], Any] = {}
        """Values that are not taken over yet, with which later ones have to go together."""
        self._asking = threading.Lock()
        self._made: list[ParameterChange] = []
        self._news: list[ParameterChange] = []
        self._lock = threading.Lock()

    def made(self) -> tuple[ParameterChange, ...]:
        """Return the newest changes that have been made, the oldest first."""
        with self._lock:
            return tuple(self._made)

    def change(self, operator: str, parameter: str, value: Any) -> None:
        """Have a live parameter changed as soon as no frame is at its operator.

        Args:
            operator: Its name in the app.
            parameter: The parameter's name.
            value: As in an app file, quantities with their unit.

        Raises:
            HoloflowError: There is no such operator or live parameter, or the value is wrong.
        """
        stage = self._stages.get(operator)
        if stage is None and operator in self._nodes:
            raise HoloflowError(
                f"{operator!r} is one of Holoscan's operators, which keep their parameters"
            )
        if stage is None:
            right = suggestion(operator, self._stages, f"there are {choices(self._stages)}")
            raise HoloflowError(f"no operator {operator!r} runs here", right)
        (runner,) = (runner for runner in stage.runners if runner.name == operator)
        key = operator, parameter
        with self._asking:
            checked = self._checked(runner, stage, parameter, value)
            self._pending[key] = checked
            stage.changes[key] = partial(self._make, runner, parameter, checked, as_json(value))
        stage.wake()

    def again(self, changes: Mapping[str, Mapping[str, str]]) -> None:
        """Make changes of an earlier process of the run; operators have not started yet.

        Args:
            changes: Values as JSON, by operator and parameter.
        """
        for operator, values in changes.items():
            for parameter, value in values.items():
                if operator in self._stages:
                    self.change(operator, parameter, json.loads(value))
                    self._stages[operator].change()

    def _checked(self, runner: OperatorRunner, stage: Stage, parameter: str, value: Any) -> Any:
        cls = type(runner.operator)
        live = live_parameters(cls)
        where = f"{runner.name}.{parameter}"
        if parameter not in cls.parameters().model_fields:
            right = suggestion(parameter, live, f"live are {choices(live)}" if live else "")
            raise HoloflowError(f"{where}: {cls.__name__} has no parameter {parameter!r}", right)
        if parameter not in live:
            can = f"{choices(live)} can" if live else "none of its parameters can"
            raise HoloflowError(f"{where} cannot be changed while the app runs", can)
        if stage.finished:
            raise HoloflowError(f"{where}: the operator has ended")
        if isinstance(stage, OperatorStage) and stage.copied_apart:
            raise HoloflowError(
                f"{where}: the operator's copies are processes, which keep their parameters",
                "run it with `copies: 1` to change it while the app runs",
            )
        now = {
            name: self._pending.get((runner.name, name), getattr(runner.operator, name))
            for name in cls.parameters().model_fields
        }
        try:
            checked = parsed(cls, parameter, value)
            cls(**{**now, parameter: checked})  # what it checks of several parameters together
        except ParameterError as error:
            wrong, right = parts(error)
            raise HoloflowError(f"{where}: {wrong}", right) from None
        except Exception as error:  # whatever the operator's own checks raise
            raise HoloflowError(f"{where}: {describe(error)}") from None
        return checked

    def _make(self, runner: OperatorRunner, parameter: str, value: Any, text: str) -> None:
        operator, key = runner.operator, (runner.name, parameter)
        with self._asking:
            if self._pending.get(key) is value:
                del self._pending[key]
        before = getattr(operator, parameter)
        if value == before:
            return
        setattr(operator, parameter, value)
        try:
            operator.changed()
        except Exception as error:
            setattr(operator, parameter, before)
            _log.error("%s.%s is left as it is: %s", runner.name, parameter, describe(error))
            return
        old = self._values.get(key) or written(
            type(operator), parameter, self._nodes[runner.name].parameters
        )
        self._values[key] = text
        change = ParameterChange(time.time(), *key, old, text)
        with self._lock:
            self._made.append(change)
            if len(self._made) > MOST:
                self._made.remove(_replaced(self._made))
            self._news.append(change)

    @property
    def news(self) -> bool:
        """Whether changes have been made that are not logged yet."""
        return bool(self._news)

    def log(self) -> None:
        """Log what has been changed since the last time; a snapshot has been published since."""
        with self._lock:
            news, self._news = self._news, []
        for change in news:
            _log.info(
                "%s.%s: %s instead of %s",
                change.operator, change.parameter, change.value, change.before,
            )  # fmt: skip


def _replaced(changes: Sequence[ParameterChange]) -> ParameterChange:
    """Return the oldest change that another has followed; else the oldest."""
    newest = {(change.operator, change.parameter): change for change in changes}
    return next((c for c in changes if newest[c.operator, c.parameter] is not c), changes[0])


def live_values(
    nodes: Mapping[str, Node], changes: Sequence[ParameterChange]
) -> tuple[LiveParameter, ...]:
    """Return the live parameters of an app's operators, after `changes`."""
    changed = {(change.operator, change.parameter): change.value for change in changes}
    return tuple(
        LiveParameter(
            node.name,
            name,
            changed.get((node.name, name)) or written(node.cls, name, node.parameters),
            schema(node.cls, name),
        )
        for node in nodes.values()
        if issubclass(node.cls, Operator)
        for name in live_parameters(node.cls)
    )


class LiveParameters:
    """Where other threads change the parameters of a run, from before it begins to after its end.

    Safe to use from any thread.
    """

    def __init__(self) -> None:
        """Belong to a run that has not begun."""
        self._change: Callable[[str, str, Any], None] | None = None

    def attach(self, changes: Changes | None) -> None:
        """Change the run of `changes` from now on; None: it is over."""
        self._change = None if changes is None else changes.change

    def change(self, operator: str, parameter: str, value: Any) -> None:
        """Have a live parameter changed; raises HoloflowError, as `Changes.change` does."""
        if self._change is None:
            raise HoloflowError("the operators are not running")
        self._change(operator, parameter, value)
