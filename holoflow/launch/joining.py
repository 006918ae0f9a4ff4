"""The links of a fragment's process: opened as its flows need them."""

from __future__ import annotations

from holoflow.flow.ledger import Ledger
from holoflow.launch.spec import Spec
from holoflow.link.links import Links
from holoflow.link.opening import open_transports
from holoflow.plan import Plan

LEDGER = "ledger"
"""File in the run's folder in which all flows are counted."""


def open_links(plan: Plan, ledger: Ledger, spec: Spec) -> Links:
    """Return the links that join the fragment of `spec` to others.

    Raises HoloflowError where one cannot be opened.
    """
    transports = open_transports(
        plan, spec.fragment, spec.folder, spec.options.run, spec.digest, spec.hosts or {}
    )
    return Links(plan, ledger, transports)
