"""Links: they carry flows across the boundaries of processes and hosts."""
