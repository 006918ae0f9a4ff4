"""The declaration of a statistic, from which its merging, subtraction and display follow.

    sent: int = field(metadata=counter("messages", "Messages sent.", metric="flow_messages_sent"))

declares a field of one of the dataclasses of `holoflow.stats.snapshot`. `merge` and `difference`
depend on its kind. The JSON of reports has every statistic under the name of its field, Prometheus
those with a `metric`, and tables (`holoflow.report.columns`) those with a `column`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import PlainSerializer, PlainValidator

from holoflow.stats.histogram import Histogram

Kind: TypeAlias = Literal["counter", "gauge", "histogram"]
Merge: TypeAlias = Literal["sum", "max", "mean"]


def _histogram(value: Any) -> Histogram:
    return value if isinstance(value, Histogram) else Histogram.from_plain(value)


Times: TypeAlias = Annotated[
    Histogram, PlainValidator(_histogram), PlainSerializer(Histogram.to_plain)
]
"""A histogram of seconds."""

_KEY = "statistic"


@dataclass(frozen=True)
class Statistic:
    """The declaration of a statistic: a number, a histogram, or numbers by cause or reason."""

    kind: Kind
    """`counter` and `histogram` grow with the run, so that a later one minus an earlier one is what
    happened in between. `gauge`: the current value."""
    unit: str
    """`messages`, `frames`, `calls`, `judgements`, `seconds`, `bytes`, `ratio`, …"""
    help: str
    """Its meaning, in one sentence."""
    merge: Merge = "sum"
    """How the values of several parts of a run are combined."""
    weight: str = ""
    """For a mean: the field with the weight of each part."""
    by: str = ""
    """For a mapping: what its keys are, and their label in Prometheus."""
    keys: Mapping[str, str] = field(default_factory=dict)
    """The meaning of each known key. They are exported to Prometheus even if nothing was counted,
    so that the first increase is seen."""
    metric: str = ""
    """Name in Prometheus, without the prefix `holoflow_` and the suffixes for unit and `_total`."""
    sources: bool = False
    """Whether only operators that are sources have it."""
    loss: bool = False
    """Whether it counts something lost; live views add losses up, and comparisons compare them."""
    lasting: bool = False
    """Whether a decrease means that its process has begun to count anew."""
    needs: str = ""
    """Field that is None if this one is unknown too."""
    column: str = ""
    """Heading in tables; empty if they leave it out or treat it specially."""
    shown: tuple[str, ...] = ()
    """For a histogram: the statistics that tables show, such as `p99`."""
    compared: str = ""
    """For a histogram: its name in comparisons of runs; empty if they leave it out."""
    width: int = 0
    """Least width of a terminal, in characters, at which the column is shown."""


def counter(unit: str, meaning: str, **others: Any) -> Mapping[str, Statistic]:
    """Return the metadata of a field that counts; `others` are fields of `Statistic`."""
    return {_KEY: Statistic("counter", unit, meaning, **others)}


def gauge(unit: str, meaning: str, **others: Any) -> Mapping[str, Statistic]:
    """Return the metadata of a field with a current value."""
    return {_KEY: Statistic("gauge", unit, meaning, **others)}


def histogram(meaning: str, **others: Any) -> Mapping[str, Statistic]:
    """Return the metadata of a field with a histogram of seconds."""
    return {_KEY: Statistic("histogram", "seconds", meaning, **others)}


def statistics(cls: type[Any]) -> Mapping[str, Statistic]:
    """Return the statistics that the dataclass `cls` declares, by field name, in their order."""
    return {f.name: f.metadata[_KEY] for f in fields(cls) if _KEY in f.metadata}


def columns(cls: type[Any]) -> Mapping[str, Statistic]:
    """Return those of `statistics(cls)` that have a column in tables."""
    return {name: declared for name, declared in statistics(cls).items() if declared.column}
