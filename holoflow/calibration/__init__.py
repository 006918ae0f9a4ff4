"""Measuring what links cost on this machine, by small apps (`holoflow plan --calibrate`)."""
