"""Links through memory that the processes of one host share.

iceoryx2 carries the samples; `docs/reference/link-protocols.md` describes the layout of messages.
"""

from holoflow.link.shared_memory.memory import remove_leftovers
from holoflow.link.shared_memory.transport import SharedMemory

__all__ = ["SharedMemory", "remove_leftovers"]
