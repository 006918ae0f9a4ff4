"""Apps with fragments of all kinds, for tests of what is made to deploy them."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import strategies as st

from holoflow.app.graph import App
from holoflow.deploy.services import RunCommand
from holoflow.operators.capture.camera import CameraOp
from holoflow.operators.visualize.web import WebOp
from support.graphs import Pass, app, flow, fragment, node

NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,11}", fullmatch=True)
WORDS = st.sampled_from(["on", "No", "y", "null", "TRUE", "host", "x1", "e3"])
"""Names that YAML may take for something else."""
HOSTS = st.from_regex(r"[a-z0-9][a-z0-9.-]{0,11}", fullmatch=True)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)

RUNS = st.builds(
    RunCommand,
    settings=st.dictionaries(NAMES, TEXTS, max_size=2),
    arguments=st.lists(TEXTS, max_size=2).map(tuple),
    metrics=st.booleans(),
    ends=st.booleans(),
)
"""How apps are run."""


def in_a_row(**fragments: dict[str, Any]) -> App:
    """Return a camera, what passes its frames on, and a page, in a fragment each.

    `fragments` are their keys by name; they are source, detect and view where none are given.
    """
    fragments = fragments or {"source": {}, "detect": {}, "view": {}}
    names = [f"op{number}" for number in range(len(fragments))]
    nodes = [node(name, Pass) for name in names]
    nodes[-1] = node(names[-1], WebOp)
    nodes[0] = node(names[0], CameraOp)
    flows = [
        flow(one, f"{other}.image" if other == names[-1] else other)
        for one, other in pairwise(names)
    ]
    placed = [fragment(f, name, **fragments[f]) for f, name in zip(fragments, names, strict=True)]
    return app(nodes, flows, fragments=placed)


@st.composite
def apps(draw: Any) -> App:
    """Apps with any fragments, also those that cannot be deployed."""
    names = draw(st.lists(NAMES | WORDS, min_size=1, max_size=4, unique=True))
    places = draw(st.lists(HOSTS, min_size=1, max_size=2))
    optional = {
        "host": st.none() | st.sampled_from(places),
        "gpu": st.none() | st.integers(0, 3),
        "cores": st.lists(st.integers(0, 7), max_size=3, unique=True).map(tuple),
        "memory": st.none() | st.integers(1, 1 << 40),
        "restart": st.sampled_from(["never", "on-failure", "always"]),
        "restarts": st.integers(0, 20),
    }
    fields = st.fixed_dictionaries({}, optional=optional)
    return in_a_row(**{name: draw(fields) for name in names})
