"""Holoscan's package, operators and data."""
