"""Whole pipelines, and what runs them: holoflow, Holoscan, ezmsg, code by hand."""
