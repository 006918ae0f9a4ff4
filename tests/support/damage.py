"""Files with wrong bytes."""

from __future__ import annotations

from hypothesis import strategies as st


def damaged(data: st.DataObject, whole: bytes) -> bytes:
    """Return `whole` cut short, or with some bytes changed, mostly near its beginning."""
    content = bytearray(whole)
    if data.draw(st.booleans(), "cut"):
        return bytes(content[: data.draw(st.integers(0, len(content)), "length")])
    for _ in range(data.draw(st.integers(1, 4), "changes")):
        end = data.draw(st.sampled_from([64, 512, len(content)]), "within")
        place = data.draw(st.integers(0, min(end, len(content)) - 1), "place")
        content[place] = data.draw(st.integers(0, 255), "byte")
    return bytes(content)
