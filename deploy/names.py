"""Names that a cluster takes: those of services, Pods and hosts in DNS."""

from __future__ import annotations

import re

LONGEST = 63
"""Characters of a label in DNS (RFC 1035)."""


def dns_name(text: str) -> str:
    """Return `text` as a label in DNS, as near as it goes; empty where nothing is left of it.

    Such a label has small letters, digits and `-`, begins with a letter, and does not end in `-`.
    """
    label = re.sub(r"[^a-z0-9-]+", "-", text.lower()).strip("-")
    return f"host-{label}" if label[:1].isdigit() else label
