"""The operator catalogue."""
