"""Operators of Holoscan's own in an app: the class, and all that one is made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Native:
    """An operator class of Holoscan's, Python or C++, with all that it is made from."""

    cls: type
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """Plain values, and `NativeObject` for allocators, stream pools and other resources."""
    conditions: tuple[NativeObject, ...] = ()
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()


@dataclass(frozen=True)
class NativeObject:
    """A condition, a resource, an allocator of Holoscan's: `type:` and `with:`."""

    cls: type
    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
