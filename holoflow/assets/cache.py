"""Where assets lie once they are fetched."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import unquote

from holoflow.assets.asset import Asset


def cache_folder() -> Path:
    """Return the folder of the cache; reads the environment, not the disk.

    `$HOLOFLOW_CACHE`, else `$XDG_CACHE_HOME/holoflow`, else `~/.cache/holoflow`.
    """
    if own := os.environ.get("HOLOFLOW_CACHE"):
        return Path(own).expanduser().absolute()
    if shared := os.environ.get("XDG_CACHE_HOME"):
        return Path(shared).absolute() / "holoflow"
    return Path("~/.cache/holoflow").expanduser()


def cached_path(asset: Asset) -> Path:
    """Return where `asset` lies in the cache, fetched or not; reads no file.

    The folder is named after the checksum; the file keeps its own name, since many libraries
    tell the kind of a file by its suffix.
    """
    return cache_folder() / asset.sha256.lower() / file_name(asset.url)


def file_name(url: str) -> str:
    """Return the last part of `url` as a plain file name, safe on every file system.

    `https://host/a/model.onnx?v=2` and `pypi:pkg==1#a/model.onnx` both give `model.onnx`.
    """
    path = url.partition("#")[2] if url.startswith("pypi:") else re.split("[?#]", url)[0]
    last = unquote(path).rstrip("/").rpartition("/")[2].rpartition(":")[2]
    return re.sub(r"[^\w.+-]", "_", last).lstrip(".") or "asset"
