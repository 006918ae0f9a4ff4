"""Apps as container images, and what runs them on hosts: the recipe and the manifests."""
