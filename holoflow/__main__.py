"""`python -m holoflow` is `holoflow`."""

from holoflow.cli import main

main()
