"""holoflow's operators in a Holoscan application that is written by hand."""

from __future__ import annotations

from typing import Any

from holoflow.operator import Operator


def hosted(fragment: Any, operator: Operator, *args: Any, name: str) -> Any:
    """Return `operator` as an operator of Holoscan's, to be wired with `add_flow`.

    `hosted(self, ThresholdOp(level=0.2), name="threshold")` within `compose`. Its ports are
    those of `process`: inputs by the names of the parameters, outputs by the keys of what it
    returns, or `out`. `args` are conditions and resources of Holoscan's. An input takes tensors
    (a single one becomes an Image where one is wanted) or the payload itself; an output sends
    arrays as tensors and anything else as it is. The header travels as Holoscan's metadata. A
    source's frames are held until their time by sleeping in its `compute`.

    Raises HoloflowError where Holoscan is not installed, or for an operator that is called for
    each message of any input.
    """
    from holoflow.engine.hosted import host

    return host(fragment, operator, args, name)
