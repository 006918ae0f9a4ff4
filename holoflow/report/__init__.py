"""Reports of runs: diagnosis, tables, pages, exports."""
