"""Exports: what other tools read."""
