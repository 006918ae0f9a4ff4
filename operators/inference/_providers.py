"""Execution providers of ONNX Runtime: what a model is computed with."""

from __future__ import annotations

from collections.abc import Sequence

from holoflow.core.errors import ParameterError

USUAL = ("cuda", "cpu")
_SUFFIX = "ExecutionProvider"


def short(provider: str) -> str:
    """Return the name that an app uses: `CUDAExecutionProvider` is `cuda`."""
    return provider.removesuffix(_SUFFIX).lower()


def choose(wanted: Sequence[str], known: Sequence[str], available: Sequence[str]) -> list[str]:
    """Return those of `wanted` that are there, in this order, as ONNX Runtime names them.

    `known` are all that ONNX Runtime has a name for, `available` those that this build can
    offer; none wanted means `USUAL`. Raises ParameterError for one that is not known, and where
    none is available.
    """
    names = {short(provider): provider for provider in known}
    offered = ", ".join(short(provider) for provider in available)
    for name in wanted:
        if name.lower() not in names:
            raise ParameterError(
                f"OnnxOp.providers: there is no provider {name!r}; this machine has {offered}"
            )
    chosen = [names[name.lower()] for name in wanted or USUAL if name.lower() in names]
    chosen = [provider for provider in chosen if provider in available]
    if not chosen:
        raise ParameterError(
            f"OnnxOp.providers: none of {', '.join(wanted or USUAL)} is available; "
            f"this machine has {offered}"
        )
    return chosen
