"""Assets: files that an app names by URL and checksum, fetched once into a cache."""

from holoflow.assets.cache import cache_folder, cached_path
from holoflow.assets.errors import AssetError
from holoflow.assets.fetching import fetch, fetch_each

__all__ = ["AssetError", "cache_folder", "cached_path", "fetch", "fetch_each"]
