"""Arrays in main memory."""

import sys
from types import ModuleType

import numpy as np

from holoflow.core.array import to_numpy


def test_masked_arrays_are_looked_for_while_another_thread_imports_them(monkeypatch):
    monkeypatch.setitem(sys.modules, "numpy.ma", ModuleType("numpy.ma"))
    assert to_numpy(np.arange(3)).tolist() == [0, 1, 2]
