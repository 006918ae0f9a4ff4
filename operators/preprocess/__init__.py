"""From sensor data to the input of a model."""
