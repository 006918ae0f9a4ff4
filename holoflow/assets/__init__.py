"""Assets: files that are fetched once into a cache and checked."""
