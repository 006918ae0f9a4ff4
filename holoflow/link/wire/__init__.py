"""The wire format of links: a message is encoded as a head and buffers, and decoded again.

`docs/reference/wire-format.md` describes it byte by byte.
"""

from holoflow.link.wire.compression import Encoding, require
from holoflow.link.wire.message import MAGIC, PREFIX, VERSION, Decoded, Decoder, Encoder
from holoflow.link.wire.types import (
    BUFFERS,
    DIMENSIONS,
    HEAD,
    INLINE,
    ITEMS,
    NESTING,
    TOTAL,
    VALUES,
    Types,
    WireError,
)

__all__ = [
    "BUFFERS", "DIMENSIONS", "HEAD", "INLINE", "ITEMS", "MAGIC", "NESTING", "PREFIX", "TOTAL",
    "VALUES", "VERSION", "Decoded", "Decoder", "Encoder", "Encoding", "Types", "WireError",
    "require",
]  # fmt: skip
