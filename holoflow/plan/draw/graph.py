"""A graph as it is drawn: boxes, groups and edges with what they say, before anything has a place.

Plans (`plan.draw.formats`) and runs (`report.graph`) are described this way; `layout` gives every
part a place, `svg` draws it. Overlays, such as how busy an operator is or the critical path, are
part of the description: the words in a box, its level, and marks, which the style sheet colours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

LINE = 17.0
"""Pixels from one line of text in a box to the next."""
LABEL_LINE = 13.0
"""Pixels from one line of labels to the next."""
NAME, TEXT, LABEL = 7.5, 6.7, 5.9
"""Width in pixels of a letter of a name, of other text in a box, and of a label; generous."""
PAD = 10.0
"""Pixels between the side of a box and its text."""


@dataclass(frozen=True)
class Words:
    """A piece of text and the class by which the style sheet knows it."""

    kind: str
    text: str = ""


@dataclass(frozen=True)
class Port:
    """A port that has a line of its own in a box."""

    name: str
    text: str
    connected: bool = True


@dataclass(frozen=True)
class Box:
    """An operator.

    `lines` are what is said in it: at the left, and at the right or nothing. Then come its ports,
    side by side, then `notes`, then a bar that is filled to `level` (0 to 1; None: no bar).
    """

    name: str
    lines: Sequence[tuple[Words, Words | None]]
    inputs: Sequence[Port] = ()
    outputs: Sequence[Port] = ()
    notes: Sequence[Words] = ()
    level: float | None = None
    marks: Sequence[str] = ()
    title: str = ""
    """Shown where the pointer rests; nothing where it is empty."""
    least_width: float = 120.0

    @property
    def size(self) -> tuple[float, float]:
        """Width and height in pixels, so that all text fits."""
        widths = [self.least_width - 2 * PAD]
        for left, right in self.lines:
            letter = NAME if left.kind == "name" else TEXT
            widths.append(
                letter * len(left.text) + (TEXT * len(right.text) + 12 if right is not None else 0)
            )
        for given, sent in zip_longest(self.inputs, self.outputs):
            letters = sum(len(port.text) for port in (given, sent) if port is not None)
            widths.append(TEXT * letters + (16 if given and sent else 0))
        widths += [TEXT * len(note.text) for note in self.notes]
        height = self.ports_top + LINE * (max(len(self.inputs), len(self.outputs)))
        height += LINE * len(self.notes) + (14 if self.level is not None else 0)
        return max(widths) + 2 * PAD, height + (8 if self.inputs or self.outputs else 0)

    @property
    def ports_top(self) -> float:
        """Pixels from the top of the box to the lines of its ports."""
        return LINE * len(self.lines) + 8

    def port(self, name: str, *, out: bool) -> float | None:
        """Return the pixels from the top of the box to a port; None where it has no line."""
        names = [port.name for port in (self.outputs if out else self.inputs)]
        return self.ports_top + LINE * (names.index(name) + 0.5) if name in names else None


@dataclass(frozen=True)
class Edge:
    """A flow between two boxes, which are given by their numbers; ports by their names."""

    source: int
    target: int
    source_port: str = ""
    target_port: str = ""
    back: bool = False
    """Leads against the direction of the others. Edges that close a cycle are drawn so, too."""
    label: Sequence[Words] = ()
    """Said beside its end, one piece after the other."""
    room: float = 0.0
    """Pixels that the label needs at least, also where its words change later."""
    marks: Sequence[str] = ()
    title: str = ""

    @property
    def label_width(self) -> float:
        """Width of the label in pixels; 0 where there is none."""
        return max(self.room, LABEL * sum(len(words.text) for words in self.label))


@dataclass(frozen=True)
class Group:
    """Boxes, by their numbers, that are in one frame."""

    caption: str
    boxes: Sequence[int]


@dataclass(frozen=True)
class Graph:
    """What is drawn.

    `stages` are runs of boxes of which each feeds the next: a straight line on common ground.
    `fragments` are bands beside one another; a box is in one of them, or there are none.
    """

    title: str
    boxes: Sequence[Box]
    edges: Sequence[Edge]
    stages: Sequence[Sequence[int]] = ()
    fragments: Sequence[Group] = ()
