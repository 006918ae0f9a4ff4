"""Assets: files that an app names by URL and checksum, fetched once into a cache."""

from holoflow.assets.fetching import cache_folder, cached_path, fetch, fetch_each
from holoflow.assets.source import AssetError

__all__ = ["AssetError", "cache_folder", "cached_path", "fetch", "fetch_each"]
