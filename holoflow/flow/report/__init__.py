"""Reports of runs: what a run leaves, and what can be read from it afterwards."""
