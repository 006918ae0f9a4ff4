"""Splitting and merging streams."""
