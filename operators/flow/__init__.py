"""Ways that part and come together again."""
