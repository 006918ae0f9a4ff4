"""Download from a web server."""

from __future__ import annotations

from pathlib import Path

from holoflow.assets.errors import BrokenTransferError, SourceError
from holoflow.assets.progress import Transfer

_BLOCK = 1 << 16
_TIMEOUT = 30
"""Seconds in which a server has to say something."""
_BUSY = (408, 425, 429, 500, 502, 503, 504)
"""Statuses after which the same request may go well."""


def download(url: str, to: Path, transfer: Transfer) -> None:
    """Write what lies at `url` to the file `to`.

    Raises `BrokenTransferError` where another try may go well, else `SourceError`.
    """
    import requests  # takes long to import and is seldom needed

    try:
        # Compressed transfer would make the announced length that of something else.
        with (
            requests.get(
                url, stream=True, timeout=_TIMEOUT, headers={"Accept-Encoding": "identity"}
            ) as response,
            to.open("wb") as file,
        ):
            response.raise_for_status()
            done, total = 0, int(response.headers.get("Content-Length", 0))
            transfer.show(done, total)
            for block in response.iter_content(_BLOCK):
                file.write(block)
                done += len(block)
                transfer.show(done, total)
    except requests.HTTPError as error:
        status = error.response.status_code if error.response is not None else 0
        raise (BrokenTransferError if status in _BUSY else SourceError)(str(error)) from None
    except (requests.ConnectionError, requests.Timeout) as error:
        raise BrokenTransferError(f"no connection to {url}: {_cause(error)}") from None
    except requests.exceptions.ChunkedEncodingError:
        raise BrokenTransferError(f"the transfer of {url} broke off") from None
    except requests.RequestException as error:
        raise SourceError(f"{url}: {error}") from None
    # Not every version of urllib3 notices that a server hung up too early.
    if done < total:
        raise BrokenTransferError(f"the transfer of {url} broke off after {done} of {total} bytes")


def _cause(error: BaseException) -> str:
    """Return the first cause of `error`: requests wraps it in three layers of names."""
    reason: object = error
    while isinstance(reason, BaseException) and reason.args:
        inner = getattr(reason.args[0], "reason", None) or reason.args[-1]
        if not isinstance(inner, BaseException):
            return str(inner).rpartition(": ")[2]
        reason = inner
    return type(reason).__name__
