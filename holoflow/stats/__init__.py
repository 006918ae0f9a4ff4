"""Statistics: everything that is counted and measured while frames flow."""
