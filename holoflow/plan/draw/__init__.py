"""Pictures of a plan: pure functions from the plan to text."""

from holoflow.plan.draw.document import describe
from holoflow.plan.draw.dot import draw_dot
from holoflow.plan.draw.mermaid import draw_mermaid
from holoflow.plan.draw.svg import draw_svg
from holoflow.plan.draw.text import draw_text

__all__ = ["describe", "draw_dot", "draw_mermaid", "draw_svg", "draw_text"]
