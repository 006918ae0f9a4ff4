"""Apps of any size, for the benchmark of what size costs."""
