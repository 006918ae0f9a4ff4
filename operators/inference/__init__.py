"""Inference with models."""
