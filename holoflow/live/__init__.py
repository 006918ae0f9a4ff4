"""Watching a running app from other processes of its user."""
