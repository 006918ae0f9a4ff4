"""`flow.merge`: several streams become one."""

from __future__ import annotations

from typing import Any, ClassVar

from holoflow.core.operator import Operator
from holoflow.core.ports import Trigger


class MergeOp(Operator):
    """Pass on the messages of all inputs, one by one.

    Where all of them come from one source, in the order of its frames, whichever way was faster;
    what a way has dropped or lost is not waited for. Else as they come, in turn where several
    inputs have some: then each is a frame of the merge's own, numbered anew, and the header's
    metadata say which it was: `from: {source: left, sequence: 7}`.

    Example:
        merge:
          type: flow.merge
          inputs: {messages: [left, right]}
    """

    trigger: ClassVar[Trigger] = "any"

    def process(self, messages: list[Any]) -> Any:
        """Return the message that has come."""
        return messages[0]
