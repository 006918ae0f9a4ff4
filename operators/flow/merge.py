"""`flow.merge`: several streams become one."""

from __future__ import annotations

from typing import Any, ClassVar

from holoflow.core.operator import Operator
from holoflow.core.ports import Trigger


class MergeOp(Operator):
    """Pass on the messages of all inputs, one at a time.

    If all of them come from one source, they are in the order of its frames, whichever path was
    faster; what a path has dropped or lost is not waited for. Otherwise they are in the order of
    arrival, taking turns if several inputs have messages. Then each is a frame of its own, numbered
    anew, and the header's metadata say which one it was: `from: {source: left, sequence: 7}`.

    Example:
        merge:
          type: flow.merge
          inputs: {messages: [left, right]}
    """

    trigger: ClassVar[Trigger] = "any"

    def process(self, messages: list[Any]) -> Any:
        """Return the message that has arrived."""
        return messages[0]
