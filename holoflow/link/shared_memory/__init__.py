"""Links in memory that the processes of one host share.

iceoryx2 carries the samples; `docs/reference/link-protocols.md` describes how messages lie in them.
"""

from holoflow.link.shared_memory.memory import remove_leftovers
from holoflow.link.shared_memory.transport import SharedMemory

__all__ = ["SharedMemory", "remove_leftovers"]
