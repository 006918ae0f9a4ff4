"""ONNX models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from holoflow.errors import HoloflowError, ParameterError
from holoflow.extras import optional
from holoflow.operator import Batching, Operator, param
from holoflow.paths import InputPath
from holoflow.payload import Arrays, to_numpy
from holoflow.quantity import Duration

from ._batches import run_together
from ._free_axes import with_free_axes
from ._providers import choose, short
from ._specification import Specification, matched


class OnnxOp(Operator):
    """Compute an ONNX model with ONNX Runtime.

    The model's inputs are arrays by name; a single array goes to the only input, whatever its
    name. Nothing is converted: `preprocess.tensor` makes the dtype and axes that the model wants.
    What it returns are NumPy arrays by the names of its outputs.

    With a `batch` above 1, messages with arrays of equal shapes, but for the first axis, are
    computed together.

    Needs the extra `onnx`; for NVIDIA GPUs, install onnxruntime-gpu in place of onnxruntime.

    Example:
        detect:
          type: inference.onnx
          inputs: {tensors: tensor}
          with: {model: detector.onnx, outputs: {"537": heatmap}}
    """

    heavy: ClassVar[bool] = True

    model: InputPath = param(doc="the .onnx file")
    providers: list[str] = param(
        [],
        doc="what to compute with, in order of preference: tensorrt, cuda, cpu and others that "
        "ONNX Runtime knows; those that are not there are passed over. Empty for cuda, cpu",
    )
    inputs: dict[str, str] = param(
        {}, doc="which array of the message is which input of the model, where names differ"
    )
    outputs: dict[str, str] = param(
        {}, doc="which outputs of the model to give, by which names; empty for all, by their own"
    )
    free_axes: list[int] = param(
        [],
        doc="axes that the model declares with a fixed length although it takes any: [0, 2, 3] "
        "for batch, height and width of NCHW",
    )
    batch: int = param(1, ge=1, doc="messages that are computed together, at most")
    wait: Duration = param("10ms", doc="for a batch to fill, from its first message")
    threads: int = param(0, ge=0, doc="CPU threads for one run; 0 is one for each core")

    def start(self) -> None:
        """Load the model, run it once if its shapes allow, and log the provider taken.

        Raises ParameterError for an unknown provider, input or output, HoloflowError for a file
        that is no model.
        """
        self._name = Path(self.model).name
        runtime = optional("onnxruntime", "onnx")
        providers = choose(
            self.providers, runtime.get_all_providers(), runtime.get_available_providers()
        )
        self._session = self._load(runtime, providers)
        taken = short(self._session.get_providers()[0])
        self.context.log.info("the model %s is computed with %s", self._name, taken)
        self._inputs = [Specification.of(value) for value in self._session.get_inputs()]
        outputs = [value.name for value in self._session.get_outputs()]
        self._check("input", list(self.inputs.values()), [entry.name for entry in self._inputs])
        self._check("output", list(self.outputs), outputs)
        self._outputs = self.outputs or {name: name for name in outputs}
        self._check_batch()
        self._warm_up()

    def stop(self) -> None:
        """Let go of the model and its memory."""
        self._session = None

    def batching(self) -> Batching | None:
        """Gather up to `batch` messages."""
        return Batching(self.batch, self.wait) if self.batch > 1 else None

    def process(self, tensors: Arrays) -> Arrays:
        """Return the outputs; ValueError for other arrays, HoloflowError where the model fails."""
        return self._run(self._matched(tensors))

    def process_batch(self, batch: Sequence[Mapping[str, Any]]) -> Sequence[Arrays]:
        """Return the outputs for each of `batch`; errors as `process`."""
        return run_together([self._matched(call["tensors"]) for call in batch], self._run)

    def _load(self, runtime: Any, providers: list[str]) -> Any:
        options = runtime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = self.threads
        # Threads that spin between runs take the cores from the other operators.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            source = with_free_axes(self.model, self.free_axes) if self.free_axes else self.model
            return runtime.InferenceSession(source, options, providers=providers)
        except HoloflowError:
            raise
        except Exception as error:  # those of onnx, protobuf and ONNX Runtime share no base
            raise HoloflowError(f"cannot load the model {self.model}: {_line(error)}") from None

    def _matched(self, tensors: Arrays) -> Arrays:
        arrays = {self.inputs.get(name, name): to_numpy(a) for name, a in tensors.items()}
        return matched(Arrays(arrays), self._inputs, self._name)

    def _run(self, arrays: Arrays) -> Arrays:
        try:
            found = self._session.run(list(self._outputs), arrays)
        except Exception as error:  # ONNX Runtime's own share no base
            raise HoloflowError(f"the model {self._name} failed: {_line(error)}") from None
        return Arrays(zip(self._outputs.values(), found, strict=True))

    def _check(self, kind: str, named: list[str], known: list[str]) -> None:
        for name in named:
            if name not in known:
                raise ParameterError(
                    f"OnnxOp.{kind}s: the model {self._name} has no {kind} {name!r}; "
                    f"it has {', '.join(known)}"
                )

    def _check_batch(self) -> None:
        for entry in self._inputs:
            if self.batch > 1 and entry.shape[:1] != (None,):
                raise ParameterError(
                    f"OnnxOp.batch: batch: {self.batch} needs a first axis of any length, but in "
                    f"the model {self._name} {entry}; if it takes other lengths all the same, "
                    f"say free_axes: [0]"
                )

    def _warm_up(self) -> None:
        """Run once on zeros, so that the first frame is not slow, where all lengths are known."""
        zeros = Arrays()
        for entry in self._inputs:
            first = [1 if length is None else length for length in entry.shape[:1]]
            shape = [length for length in (*first, *entry.shape[1:]) if length is not None]
            if len(shape) < len(entry.shape):
                return
            zeros[entry.name] = np.zeros(shape, entry.dtype)
        self._run(zeros)


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
