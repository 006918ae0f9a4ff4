"""Running apps from Python: `holoflow.run` and `holoflow.run_async`."""
