"""Showing results: drawing, windows and the live page."""
