"""Apps that say when their first frame is through, and one that has nothing to do."""
