"""To be looked at."""
