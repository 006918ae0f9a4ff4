"""From sensor data to what a model takes."""
