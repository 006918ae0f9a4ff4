"""Pictures of a plan or a run: pure functions from what it is to text."""

from holoflow.plan.draw.formats import describe, draw_dot, draw_mermaid, draw_svg
from holoflow.plan.draw.svg import draw, style
from holoflow.plan.draw.text import draw_text

__all__ = ["describe", "draw", "draw_dot", "draw_mermaid", "draw_svg", "draw_text", "style"]
