"""`inference.torch`: PyTorch models."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from holoflow.core.array import to_numpy
from holoflow.core.errors import HoloflowError, ParameterError, optional
from holoflow.core.files import InputPath
from holoflow.core.operator import Operator, param
from holoflow.core.samples import Arrays


class TorchOp(Operator):
    """Run a PyTorch model: TorchScript (.pt) or an exported program (.pt2).

    The model's arguments are the arrays in the order of `inputs`; its result, a tensor, a tuple or
    a dict of tensors, is returned as NumPy arrays by name. Pickled modules are not loaded. PyTorch
    lets an exported program execute any code while it is loaded, so the app must say that it is
    trusted; a checksum under `assets:` ensures that it is the intended file.

    Needs the extra `torch`.

    Example:
        segment:
          type: inference.torch
          inputs: {tensors: tensor}
          with: {model: liver.pt2, trusted: true, outputs: [scores]}
    """

    heavy: ClassVar[bool] = True

    model: InputPath = param(doc="the .pt (TorchScript) or .pt2 (torch.export) file")
    trusted: bool = param(
        False, doc="true says that a .pt2 file is from someone whose code may be executed here"
    )
    device: Literal["auto", "cpu", "cuda"] = param(
        "auto", doc="device; auto is cuda if there is one, else cpu"
    )
    inputs: list[str] = param(
        [], doc="names of the arrays in the order of the model's arguments; empty for one array"
    )
    outputs: list[str] = param(
        [],
        doc="names for the model's results, in order; empty for a dict's own names, or output_0, "
        "output_1 …",
    )

    def start(self) -> None:
        """Load the model and log the device.

        Raises:
            HoloflowError: The file is not a model, or there is no such device.
        """
        self._torch = optional("torch", "torch")
        cuda = self._torch.cuda.is_available()
        if self.device == "cuda" and not cuda:
            raise HoloflowError(
                "there is no CUDA device for PyTorch here", "use device: auto or cpu"
            )
        self._device = ("cuda" if cuda else "cpu") if self.device == "auto" else self.device
        self._name = Path(self.model).name
        self._model = load(self.model, self._device, trusted=self.trusted)
        self.context.log.info("the model %s is computed on %s", self._name, self._device)

    def stop(self) -> None:
        """Release the model and its memory."""
        self._model = None

    def process(self, tensors: Arrays) -> Arrays:
        """Return the outputs of the model.

        Raises:
            ValueError: The arrays do not fit its arguments.
            HoloflowError: The model fails.
        """
        order = self.inputs or list(tensors)
        if set(order) != set(tensors) or (not self.inputs and len(order) != 1):
            raise ValueError(
                f"the model {self._name} takes {self.inputs or 'one array'}, got arrays named "
                f"{sorted(tensors)}; `inputs` says which array is which argument"
            )
        torch = self._torch
        # Copied, because a model may change its arguments.
        arguments = [torch.tensor(to_numpy(tensors[name]), device=self._device) for name in order]
        try:
            with torch.inference_mode():
                found = self._model(*arguments)
        except Exception as error:
            got = ", ".join(f"{n} {tensors[n].dtype} {tuple(tensors[n].shape)}" for n in order)
            raise HoloflowError(f"the model {self._name} failed on {got}: {error}") from None
        return self._named(found)

    def _named(self, found: Any) -> Arrays:
        """Return the tensors of `found` by name."""
        if isinstance(found, Mapping):
            names, values = [str(name) for name in found], list(found.values())
        else:
            values = list(found) if isinstance(found, (tuple, list)) else [found]
            names = [f"output_{index}" for index in range(len(values))]
        if self.outputs and len(self.outputs) != len(values):
            raise HoloflowError(
                f"the model {self._name} returns {len(values)} tensors, `outputs` has "
                f"{len(self.outputs)} names"
            )
        arrays = (value.detach().cpu().numpy() for value in values)
        return Arrays(zip(self.outputs or names, arrays, strict=True))


def load(path: str, device: str, *, trusted: bool) -> Any:
    """Return the model in the file `path` as a function of tensors on `device`.

    `.pt2` is an exported program, `.pt` TorchScript. PyTorch evaluates Python expressions in an
    exported program (for its dynamic shapes) and unpickles parts of it, so the file can execute any
    code while it is loaded: it is opened only if `trusted`.

    Raises:
        ParameterError: The suffix is another one, or the file is not trusted.
        HoloflowError: The file contains something else.
    """
    suffix = Path(path).suffix
    if suffix not in (".pt", ".pt2"):
        raise ParameterError(
            f"TorchOp.model: .pt (TorchScript) and .pt2 (torch.export) can be loaded, "
            f"not {Path(path).name}"
        )
    if suffix == ".pt2" and not trusted:
        raise ParameterError(
            "TorchOp.model: an exported program can run any code when it is loaded",
            f"set `trusted: true` if {Path(path).name} is from someone you trust",
        )
    torch = optional("torch", "torch")
    try:
        if suffix == ".pt2":
            model = torch.export.load(path).module()
        else:
            # TorchScript is deprecated, but many models still use it.
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", r"`torch\.jit", DeprecationWarning)
                model = torch.jit.load(path, map_location="cpu").eval()
        return model.to(device)
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise HoloflowError(f"cannot load the model {path}: {reason}") from None
