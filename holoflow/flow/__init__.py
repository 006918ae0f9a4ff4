"""Frame-flow tracking: records and books."""
