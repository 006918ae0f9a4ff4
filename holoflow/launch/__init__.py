"""Runs an app's fragments in processes of their own: starts, watches, restarts and ends them."""
