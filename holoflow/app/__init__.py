"""Reading: a YAML file becomes a checked app."""
