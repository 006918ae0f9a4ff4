"""Pictures of a plan: pure functions from the plan to text."""

from holoflow.plan.draw.formats import describe, draw_dot, draw_mermaid
from holoflow.plan.draw.svg import draw_svg
from holoflow.plan.draw.text import draw_text

__all__ = ["describe", "draw_dot", "draw_mermaid", "draw_svg", "draw_text"]
