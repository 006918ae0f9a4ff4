"""Reusable fragments in YAML."""
