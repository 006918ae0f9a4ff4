"""Model files of PyTorch."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from holoflow.core.errors import HoloflowError, ParameterError, optional


def load(path: str, device: str, *, trusted: bool) -> Any:
    """Return the model in the file `path` as a function of tensors on `device`.

    `.pt2` is an exported program, `.pt` TorchScript. PyTorch evaluates Python expressions that
    stand in an exported program (for its dynamic shapes) and unpickles parts of it, so that the
    file can run any code as it is loaded: it is opened only where `trusted` says so. Raises
    ParameterError for another suffix or without trust, HoloflowError for a file that holds
    something else.
    """
    suffix = Path(path).suffix
    if suffix not in (".pt", ".pt2"):
        raise ParameterError(
            f"TorchOp.model: .pt (TorchScript) and .pt2 (torch.export) can be loaded, "
            f"not {Path(path).name}"
        )
    if suffix == ".pt2" and not trusted:
        raise ParameterError(
            f"TorchOp.model: an exported program can run any code when it is loaded; say "
            f"`trusted: true` if {Path(path).name} comes from somebody you trust"
        )
    torch = optional("torch", "torch")
    try:
        if suffix == ".pt2":
            model = torch.export.load(path).module()
        else:
            # TorchScript is deprecated, but what many models still come in.
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", r"`torch\.jit", DeprecationWarning)
                model = torch.jit.load(path, map_location="cpu").eval()
        return model.to(device)
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise HoloflowError(f"cannot load the model {path}: {reason}") from None
