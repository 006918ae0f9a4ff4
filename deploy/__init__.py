"""Deployment: container images of apps, and manifests that run them on hosts."""
