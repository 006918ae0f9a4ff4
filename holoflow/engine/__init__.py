"""Engines: run a plan."""
