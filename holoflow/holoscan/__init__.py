"""Loading Holoscan, its operators as types, and conversion of its data."""
