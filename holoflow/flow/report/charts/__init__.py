"""Pictures of a report: pure functions from books to SVG, without scripts.

Colours come from the style sheet of the page, which has them for light and for dark.
"""
