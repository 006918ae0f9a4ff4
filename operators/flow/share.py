"""`flow.share`: one way of several that share the frames."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, ValidationInfo

from holoflow.core.message import Header
from holoflow.core.operator import Operator, param


def _one_of_them(part: int, info: ValidationInfo) -> int:
    of = info.data.get("of")
    if of is not None and part >= of:
        raise ValueError(f"of {of} parts the last is {of - 1}")
    return part


class ShareOp(Operator):
    """Pass on every `of`-th frame, beginning with number `part`.

    So that equal operators work on different frames at the same time: before each of them a
    share, with parts from 0, and behind all of them one `flow.merge`, which has the frames in
    order again. Shares go by the number that a frame has at its source: where frames are missing
    by then, shares may be unlike.

    Example:
        second:
          type: flow.share
          inputs: {message: camera}
          with: {of: 3, part: 1}
    """

    of: int = param(ge=1, doc="ways that share the frames")
    part: Annotated[int, AfterValidator(_one_of_them)] = param(
        ge=0, doc="which of them it is, from 0"
    )

    def process(self, message: Any, header: Header) -> Any | None:
        """Return the message where its frame is one of this share, else None."""
        return message if header.sequence % self.of == self.part else None
