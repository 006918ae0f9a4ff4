"""Planning: a checked app becomes stages, processes and links. Pure functions."""
