"""Nothing is delivered before a new fragment knows how far its own flows are."""

from __future__ import annotations


class Gate:
    """Open once all have met whom they wait for.

    A fragment on a host whose ledger is new may join an app that has run for long. What it sends
    has to go on with the numbers that its receivers know. They tell it when they meet; so until
    then it must not send, and it does not as long as it is given nothing.
    """

    def __init__(self) -> None:
        """Wait for nobody."""
        self._waiting: set[object] = set()
        self.open = True

    def wait_for(self, who: object) -> None:
        """Stay shut until `met` has been called for `who`."""
        self._waiting.add(who)
        self.open = False

    def met(self, who: object) -> bool:
        """Note that `who` was met; return whether that has opened the gate."""
        self._waiting.discard(who)
        was, self.open = self.open, not self._waiting
        return self.open and not was
