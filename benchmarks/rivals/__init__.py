"""What `links.py` measures side by side: one file a rival, and what they have in common."""
