"""Links: what carries a flow across the boundary of a process or a host."""
