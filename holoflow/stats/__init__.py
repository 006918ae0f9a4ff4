"""Statistics: what is counted and measured while frames flow."""
