"""Reading applications that were written by hand for Holoscan, and writing them as app files."""
