import json
import math
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np

from holoflow.core.text import plain


@dataclass
class Thing:
    name: str
    inner: object = None


def test_everything_becomes_json():
    value = {
        "thing": Thing("a", Thing("b", (1, 2))),
        "path": Path("x/y"),
        "class": dict,
        "numbers": [np.int64(3), np.float64(0.5), math.nan, math.inf, True],
        "view": MappingProxyType({1: frozenset({2})}),
        "error": ValueError("no"),
        "nothing": None,
    }
    assert json.loads(json.dumps(plain(value), allow_nan=False)) == {
        "thing": {"name": "a", "inner": {"name": "b", "inner": [1, 2]}},
        "path": "x/y",
        "class": "builtins.dict",
        "numbers": [3, 0.5, None, None, True],
        "view": {"1": [2]},
        "error": "no",
        "nothing": None,
    }
