"""What is said once of a statistic; how it is merged, subtracted and shown follows from it.

    sent: int = field(metadata=counter("messages", "Messages sent.", metric="flow_messages_sent"))

declares a field of one of the dataclasses of `holoflow.stats.snapshot`. `merge` and `difference`
follow from the kind, the JSON of reports has every statistic by the name of its field, Prometheus
those with a `metric`, and tables those with a `column`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
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
    """`counter`, `histogram`: grows with the run, so a later one less an earlier one is what
    happened in between. `gauge`: how it is now."""
    unit: str
    """`messages`, `frames`, `calls`, `judgements`, `seconds`, `bytes`, `ratio`, …"""
    help: str
    """What it means, in a sentence."""
    merge: Merge = "sum"
    """What it is for several parts of a run together."""
    weight: str = ""
    """Of a mean: the field that says how much each part has a share in it."""
    by: str = ""
    """What numbers are by: the label that Prometheus gives their keys."""
    keys: tuple[str, ...] = ()
    """Keys that Prometheus is shown also where nothing was counted, so that the first is seen."""
    metric: str = ""
    """Prometheus' name, without `holoflow_` before it, and the unit and `_total` behind it."""
    sources: bool = False
    """Whether only operators that are sources have it."""
    lasting: bool = False
    """Whether it is less than before only where its process began to count anew, and with it all
    that its owner has counted."""
    needs: str = ""
    """Field that is None where this one is not known either."""
    column: str = ""
    """Heading in tables of counts; empty where they do not have it, or in a place of its own."""
    width: int = 0
    """Columns that a terminal has at least where it is shown."""


def counter(unit: str, meaning: str, **others: Any) -> Mapping[str, Statistic]:
    """Return the metadata of a field that counts; `others` as `Statistic` has them."""
    return {_KEY: Statistic("counter", unit, meaning, **others)}


def gauge(unit: str, meaning: str, **others: Any) -> Mapping[str, Statistic]:
    """Return the metadata of a field that says how something is now."""
    return {_KEY: Statistic("gauge", unit, meaning, **others)}


def histogram(meaning: str, **others: Any) -> Mapping[str, Statistic]:
    """Return the metadata of a field that has a histogram of seconds."""
    return {_KEY: Statistic("histogram", "seconds", meaning, **others)}


def statistics(cls: type[Any]) -> Mapping[str, Statistic]:
    """Return what the dataclass `cls` declares, by the names of its fields, in their order."""
    return {f.name: f.metadata[_KEY] for f in fields(cls) if _KEY in f.metadata}


def columns(cls: type[Any]) -> Mapping[str, Statistic]:
    """Return those that tables of counts have a column of."""
    return {name: declared for name, declared in statistics(cls).items() if declared.column}
