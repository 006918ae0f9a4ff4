"""`flow.share`: one of several paths that share the frames."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, ValidationInfo

from holoflow.core.message import Header
from holoflow.core.operator import Operator, param


def _one_of_them(part: int, info: ValidationInfo) -> int:
    of = info.data.get("of")
    if of is not None and part >= of:
        raise ValueError(f"the last of {of} parts is {of - 1}")
    return part


class ShareOp(Operator):
    """Pass on every `of`-th frame, beginning with number `part`.

    Thus equal operators can work on different frames at the same time: put a share before each of
    them, with parts from 0, and one `flow.merge` behind all of them, which restores the order of
    the frames. Shares depend on the number that a frame has at its source; if frames are missing,
    they may differ in size.

    Example:
        second:
          type: flow.share
          inputs: {message: camera}
          with: {of: 3, part: 1}
    """

    of: int = param(ge=1, doc="number of paths that share the frames")
    part: Annotated[int, AfterValidator(_one_of_them)] = param(
        ge=0, doc="number of this path, from 0"
    )

    def process(self, message: Any, header: Header) -> Any | None:
        """Return the message if its frame belongs to this share, else None."""
        return message if header.sequence % self.of == self.part else None
