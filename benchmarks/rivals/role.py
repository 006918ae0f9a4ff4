"""One process of a measurement: `python -m rivals.role ROLE`, with the job in the environment."""

from __future__ import annotations

import importlib
import sys

from rivals.job import Job
from rivals.processes import die_with_parent


def main() -> None:
    """Run the role named on the command line."""
    die_with_parent()
    job = Job.mine()
    getattr(importlib.import_module(f"rivals.{job.module}"), sys.argv[1])(job)


if __name__ == "__main__":
    main()
