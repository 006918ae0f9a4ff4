"""How large payloads are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from holoflow.core.pictures import Image
from holoflow.core.plain import size_of


@dataclass
class Pair:
    a: Any
    b: Any


RING: list[object] = []
RING.append(RING)


@pytest.mark.parametrize(
    ("payload", "size"),
    [
        (None, 8),
        (7, 8),
        ("four", 4),
        (b"12345", 5),
        (np.zeros((4, 5), np.float32), 80),
        (Image(np.zeros((10, 20, 3), np.uint8)), 600 + 3 + 8),
        ({"a": np.zeros(3), "bc": [1.0, 2.0]}, 1 + 24 + 2 + 16),
        (Pair(np.zeros(4), None), 32 + 8),
        (object(), 8),
        (RING, 8),
    ],
    ids=[
        "none",
        "number",
        "text",
        "bytes",
        "array",
        "image",
        "mapping",
        "dataclass",
        "any",
        "ring",
    ],
)
def test_size_of(payload, size):
    assert size_of(payload) == size
