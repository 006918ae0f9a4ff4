"""The operator: a class that turns input messages into output messages, and its context.

NumPy and pydantic are imported when they are first needed: both take long, and much that names
operators makes none.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import dataclass_transform

from holoflow.core.ports import Ports, Trigger, read_ports

if TYPE_CHECKING:
    import numpy.typing as npt
    import pydantic

    from holoflow.stats.snapshot import Sample, Snapshot


def param(
    default: Any = ...,
    *,
    doc: str,
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    lt: float | None = None,
    min_length: int | None = None,
    max_length: int | None = None,
    pattern: str | None = None,
    examples: list[Any] | None = None,
    live: bool = False,
) -> Any:
    """Declare a parameter of an operator, as a class field.

    `level: float = param(0.5, ge=0, le=1, doc="fraction of full scale")`

    Without a default the parameter is required. The bounds are pydantic's; `doc` states the
    meaning and the unit. A `live` parameter may change between two frames while the app runs, so
    the operator reads it anew for each, or overrides `changed`.
    """
    from pydantic import Field

    # Left out otherwise: None would replace what the annotation says.
    extra: dict[str, Any] = {"json_schema_extra": {"live": True}} if live else {}
    return Field(
        default, description=doc, ge=ge, gt=gt, le=le, lt=lt,
        min_length=min_length, max_length=max_length, pattern=pattern, examples=examples,
        **extra,
    )  # fmt: skip


@dataclass(frozen=True)
class Batching:
    """How many messages `process_batch` takes at once, and how long it waits for them."""

    size: int
    wait: float
    """Seconds from the first message of a batch to its call, full or not."""


@dataclass_transform(kw_only_default=True, field_specifiers=(param,))
class Operator:
    """Base class of all operators. A plain Python class; a test calls `process` without a graph.

    Annotated class fields are parameters, passed by name on construction and checked by
    pydantic. The parameters of `process` are the input ports: it takes their payloads and
    returns that of the output port. None sends nothing, a generator sends several messages, a
    typed dict has one key per output port. A source has `frames()` instead, an iterator whose
    end is the end of the stream. A parameter of `process` annotated `Header` receives the
    header.

    Input payloads may be shared with other operators: do not change them in place.
    """

    heavy: ClassVar[bool] = False
    """Runs long outside the interpreter lock: is never fused, so that it runs in parallel."""
    stateless: ClassVar[bool] = False
    """What `process` returns depends on its arguments and parameters alone, and it may be called
    from several threads at once, or in several processes: several frames can be worked on at a
    time (`copies`)."""
    trigger: ClassVar[Trigger] = "all"
    """`any`: `process` is called for each message at any input, not for one at each. A list then
    holds that one message or none; other parameters have their defaults."""
    live: ClassVar[bool] = False
    """For a source: `frames()` waits for a device or network, so it is read in its own thread."""
    newest: ClassVar[bool] = False
    """For a live source: while the app is too slow for it, only its newest frame is used; the
    others are counted as dropped, so that what is shown stays as young as the work allows."""

    context: OperatorContext

    def __init__(self, **parameters: Any) -> None:
        """Check `parameters` and set them as attributes; raise `ParameterError` if invalid."""
        from holoflow.core.parameters import checked

        values = checked(self.parameters(), parameters)
        for name in type(values).model_fields:
            setattr(self, name, getattr(values, name))
        self.context = OperatorContext(name=type(self).__name__)

    @classmethod
    def from_app(cls, parameters: Mapping[str, Any]) -> Operator:
        """Make the operator from parameters as written in an app file: quantities have units.

        Raises:
            pydantic.ValidationError: A parameter is invalid.
        """
        from holoflow.core.quantity import UNITS_REQUIRED

        # As JSON, strict means the same as in JSON Schema: not true for 1, but a list for a tuple.
        document = json.dumps(dict(parameters))
        checked = cls.parameters().model_validate_json(
            document, strict=True, context=UNITS_REQUIRED
        )
        return cls(**{name: getattr(checked, name) for name in checked.model_fields_set})

    @classmethod
    def parameters(cls) -> type[pydantic.BaseModel]:
        """Return the pydantic model of the parameters; may raise `OperatorDefinitionError`."""
        if "_parameters" not in cls.__dict__:
            from holoflow.core.parameters import model

            cls._parameters = model(cls, Operator)
        return cls._parameters

    @classmethod
    def ports(cls) -> Ports:
        """Return the ports, read from the signature; may raise `OperatorDefinitionError`."""
        if "_ports" not in cls.__dict__:
            cls._ports = read_ports(cls)
        return cls._ports

    _parameters: ClassVar[type[pydantic.BaseModel]]
    _ports: ClassVar[Ports]

    def start(self) -> None:
        """Prepare for processing: called once, in the process and on the GPU that will be used."""

    def changed(self) -> None:
        """Take note that a live parameter has changed; called between two frames.

        If it raises, the parameter keeps the value that it had.
        """

    def stop(self) -> None:
        """Release everything; called once for every `start()`, also after an error."""

    def claims(self) -> tuple[str, ...]:
        """Return what no other operator on its host may use: a device, a port, an output file.

        Called before anything starts; the operator has nothing but its parameters then.
        """
        return ()

    def batching(self) -> Batching | None:
        """Return how to gather messages for `process_batch`; None: `process` is called for each."""
        return None

    def process_batch(self, batch: Sequence[Mapping[str, Any]]) -> Sequence[Any]:
        """Process several sets of inputs at once; return one result for each, in order."""
        process: Callable[..., Any] = self.process  # type: ignore[attr-defined]
        return [process(**inputs) for inputs in batch]

    def allocate(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """Return an uninitialised array for an output.

        If the output goes to another process, the array is in the link's memory, so that it
        need not be copied.
        """
        return self.context.allocate(shape, dtype)


def _allocate(shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    import numpy

    return numpy.empty(shape, dtype)


def _log() -> logging.Logger:
    return logging.getLogger("holoflow.operator")


@dataclass(frozen=True)
class LiveParameter:
    """A parameter that may change while the app runs."""

    operator: str
    name: str
    value: str
    """Its value as JSON, as in an app file: quantities with their unit."""
    schema: Mapping[str, Any]
    """Its JSON Schema: type, bounds, choices, description."""


@dataclass
class OperatorContext:
    """What an operator can use of the run it is part of; the engine sets it before `start()`.

    Without an engine (in a test) it has the defaults below.
    """

    name: str = "operator"
    """The operator's name in the app."""
    output: Path = field(default_factory=Path)
    """Folder for what operators write; output paths are relative to it."""
    generation: int = 0
    """How often the operator's process was started before in this run. If it is not 0, an
    operator that writes files continues those that exist."""
    log: logging.Logger = field(default_factory=_log)
    lossless: bool = False
    """No frame may be dropped and nothing may depend on arrival times."""
    web: bool = True
    """Whether live pages are served."""
    threads: int = 0
    """CPU threads that one call may use, so that all calls at once have what the machine has; 0 if
    nobody says."""
    now: Callable[[], int] = time.time_ns
    """The clock of the run in nanoseconds; in the inline engine it jumps over waiting."""
    ending: threading.Event = field(default_factory=threading.Event)
    """Set when a source is to end. A source that waits in `frames()` waits for this event
    instead of sleeping: `if self.context.ending.wait(0.05): return`."""
    announce: Callable[[str, str], None] = lambda _kind, _text: None
    """Tell the user something, once: `announce("live page", "http://127.0.0.1:8080")`."""
    count_drop: Callable[[str, int], None] = lambda _cause, _count: None
    """Count frames that were lost before the framework saw them: `count_drop("device", 3)`."""
    snapshot: Callable[[], Snapshot | None] = lambda: None
    """The newest state of the whole run, taken twice a second; None outside of a run."""
    history: Callable[[], tuple[Sample, ...]] = lambda: ()
    """Time series of the run so far."""
    outcome: Callable[[], tuple[str, str]] = lambda: ("done", "")
    """How the run has ended, for `stop()`: `done`, `failed` or `interrupted`; and which operator
    failed, on which frame, and why, or an empty string."""
    parameters: Callable[[], Sequence[LiveParameter]] = lambda: ()
    """The live parameters of all operators of the app, as they are now."""
    change: Callable[[str, str, Any], None] | None = None
    """Change a live parameter of any operator: `change("detect", "threshold", 0.4)`; raises
    HoloflowError if it cannot. None if whoever watches may not."""
    _warned: set[str] = field(default_factory=set)
    allocate: Callable[[tuple[int, ...], Any], npt.NDArray[Any]] = _allocate
    """Memory for an output; the link's own if the output goes to another process."""

    def warn_once(self, text: str, *values: object, said: str = "") -> None:
        """Log a warning the first time that `text` is passed; `values` are formatted in by `%`.

        `said` is the text with the values in it, where another process has formatted it.
        """
        if text not in self._warned:
            self._warned.add(text)
            self.log.warning("%s (logged once)", said or (text % values if values else text))
