"""`inference.onnx`: ONNX models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from holoflow.core.array import to_numpy
from holoflow.core.errors import HoloflowError, ParameterError, optional
from holoflow.core.files import InputPath
from holoflow.core.operator import Batching, Operator, param
from holoflow.core.quantity import Duration
from holoflow.core.samples import Arrays
from holoflow.core.text import choices, suggestion

from ._messages import InseparableError, Specification, contradiction, matched, run_together


class OnnxOp(Operator):
    """Run an ONNX model with ONNX Runtime.

    The model's inputs are arrays by name; a single array goes to the only input, whatever its name.
    Nothing is converted: `preprocess.tensor` sets the dtype and axes that the model needs. The
    result consists of NumPy arrays under the names of the model's outputs.

    With a `batch` above 1, messages whose arrays have equal shapes, except for the first axis, are
    computed together, and the outputs are split along their first axis. This requires that it is
    the same axis: it has the name of the inputs' first axis or, if the model names none, as many
    rows. If it is not, such as for the boxes found in all images, or if the model fails on more
    than one image, each message is computed alone, which is logged.

    Needs the extra `onnx`; for NVIDIA GPUs, install onnxruntime-gpu in place of onnxruntime.

    Example:
        detect:
          type: inference.onnx
          inputs: {tensors: tensor}
          with: {model: detector.onnx, outputs: {"537": heatmap}}
    """

    heavy: ClassVar[bool] = True
    stateless: ClassVar[bool] = True

    model: InputPath = param(doc="the .onnx file")
    providers: list[str] = param(
        [],
        doc="execution providers in order of preference: tensorrt, cuda, cpu and others that "
        "ONNX Runtime has; unavailable ones are skipped. Empty for cuda, cpu",
    )
    inputs: dict[str, str] = param(
        {}, doc="array of the message for each input of the model, if names differ"
    )
    outputs: dict[str, str] = param(
        {}, doc="outputs of the model to return, with their new names; empty for all, unchanged"
    )
    free_axes: list[int] = param(
        [],
        doc="axes that the model declares with a fixed length although it takes any: [0, 2, 3] "
        "for batch, height and width of NCHW",
    )
    batch: int = param(1, ge=1, doc="most messages that are computed together")
    batched: list[str] = param(
        [],
        doc="outputs of the model that have a row for each row of the inputs although their first "
        "axis has another name, or a fixed length",
    )
    wait: Duration = param("10ms", doc="longest time for a batch to fill, from its first message")
    threads: int = param(
        0, ge=0, doc="CPU threads for one run; 0 shares the cores among the runs at once"
    )

    _apart = False
    """Whether each message of a batch is computed alone, as results for several cannot be split."""

    def start(self) -> None:
        """Load the model, run it once if its shapes permit, and log the provider that is used.

        Raises:
            ParameterError: A provider, an input or an output does not exist.
            HoloflowError: The file is not a model.
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
        outputs = [Specification.of(value) for value in self._session.get_outputs()]
        names = [entry.name for entry in outputs]
        self._check("inputs", list(self.inputs.values()), [entry.name for entry in self._inputs])
        self._check("outputs", list(self.outputs), names)
        self._check("batched", self.batched, names)
        self._outputs = self.outputs or {name: name for name in names}
        self._check_batch([entry for entry in outputs if entry.name in self._outputs])
        self._warm_up()

    def stop(self) -> None:
        """Release the model and its memory."""
        self._session = None

    def batching(self) -> Batching | None:
        """Gather up to `batch` messages, unless the model does not permit it."""
        return Batching(self.batch, self.wait) if self.batch > 1 and not self._apart else None

    def process(self, tensors: Arrays) -> Arrays:
        """Return the outputs of the model.

        Raises:
            ValueError: The arrays do not fit its inputs.
            HoloflowError: The model fails.
        """
        return self._run(self._matched(tensors))

    def process_batch(self, batch: Sequence[Mapping[str, Any]]) -> Sequence[Arrays]:
        """Return the outputs for each message of `batch`; errors as in `process`."""
        messages = [self._matched(call["tensors"]) for call in batch]
        if not self._apart:
            try:
                return run_together(messages, self._run)
            except InseparableError as error:
                self._take_apart(str(error))
        return [self._run(message) for message in messages]

    def _load(self, runtime: Any, providers: list[str]) -> Any:
        options = runtime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = self.threads or self.context.threads
        # Threads that spin between runs take cores from the other operators.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            source = with_free_axes(self.model, self.free_axes) if self.free_axes else self.model
            return runtime.InferenceSession(source, options, providers=providers)
        except HoloflowError:
            raise
        except Exception as error:  # those of onnx, protobuf and ONNX Runtime have no common base
            raise HoloflowError(f"cannot load the model {self.model}: {_line(error)}") from None

    def _matched(self, tensors: Arrays) -> Arrays:
        arrays = {self.inputs.get(name, name): to_numpy(a) for name, a in tensors.items()}
        return matched(Arrays(arrays), self._inputs, self._name)

    def _run(self, arrays: Arrays) -> Arrays:
        try:
            found = self._session.run(list(self._outputs), arrays)
        except Exception as error:  # those of ONNX Runtime have no common base
            raise HoloflowError(f"the model {self._name} failed: {_line(error)}") from None
        return Arrays(zip(self._outputs.values(), found, strict=True))

    def _check(self, parameter: str, named: list[str], known: list[str]) -> None:
        for name in named:
            if name not in known:
                raise ParameterError(
                    f"OnnxOp.{parameter}: the model {self._name} has no "
                    f"{'input' if parameter == 'inputs' else 'output'} {name!r}",
                    suggestion(name, known, f"it has {choices(known)}"),
                )

    def _check_batch(self, outputs: Sequence[Specification]) -> None:
        self._apart = False
        if self.batch == 1:
            return
        for entry in self._inputs:
            if not entry.shape or isinstance(entry.first, int):
                raise ParameterError(
                    f"OnnxOp.batch: batch: {self.batch} needs a first axis of any length, but in "
                    f"the model {self._name} {entry}",
                    "if it takes other lengths all the same, say free_axes: [0]",
                )
        named = [entry for entry in outputs if entry.name not in self.batched]
        reason = contradiction(self._inputs, named, self._name)
        if reason:
            self._take_apart(reason)

    def _take_apart(self, reason: str) -> None:
        """Compute each message alone from now on."""
        self._apart = True
        self.context.log.warning(
            "each message is computed alone in spite of batch: %d, as the results for several "
            "cannot be split: %s", self.batch, reason,
        )  # fmt: skip

    def _warm_up(self) -> None:
        """Run on zeros if all lengths are known, so that the first frame is not slow.

        Two messages of zeros show whether results can be split, before any result is used.
        """
        zeros = Arrays()
        for entry in self._inputs:
            first = [length if isinstance(length, int) else 1 for length in entry.shape[:1]]
            shape = [length for length in (*first, *entry.shape[1:]) if isinstance(length, int)]
            if len(shape) < len(entry.shape):
                return
            zeros[entry.name] = np.zeros(shape, entry.dtype)
        self._run(zeros)
        if self.batch > 1 and not self._apart:
            try:
                run_together([zeros, zeros], self._run)
            except HoloflowError as error:
                self._take_apart(str(error))


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def with_free_axes(path: str, axes: Sequence[int]) -> bytes:
    """Return the ONNX model in the file `path` with the lengths of `axes` left open.

    This applies to each input and output that has such an axis; names of axes are kept. Weights
    that are listed as inputs, as by old exporters, become constants, so that the model can be
    optimised.

    Raises:
        Exception: The file is not a model; the error is one of onnx or protobuf.
    """
    model = optional("onnx", "onnx").load(path)
    graph = model.graph
    weights = {weight.name for weight in graph.initializer}
    inputs = [value for value in graph.input if value.name not in weights]
    del graph.input[:]
    graph.input.extend(inputs)
    for value in (*graph.input, *graph.output):
        sizes = value.type.tensor_type.shape.dim
        for axis in axes:
            if axis < len(sizes) and sizes[axis].HasField("dim_value"):
                sizes[axis].Clear()
    # Shapes in between were derived from the lengths that are now open.
    del graph.value_info[:]
    content: bytes = model.SerializeToString()
    return content


USUAL = ("cuda", "cpu")
_SUFFIX = "ExecutionProvider"


def short(provider: str) -> str:
    """Return the name of a provider in an app: `CUDAExecutionProvider` is `cuda`."""
    return provider.removesuffix(_SUFFIX).lower()


def choose(wanted: Sequence[str], known: Sequence[str], available: Sequence[str]) -> list[str]:
    """Return the available ones of `wanted` in this order, by ONNX Runtime's names.

    Args:
        wanted: Short names; none means `USUAL`.
        known: All providers for which ONNX Runtime has a name.
        available: Those that this build offers.

    Raises:
        ParameterError: A provider is not known, or none of them is available.
    """
    names = {short(provider): provider for provider in known}
    offered = ", ".join(short(provider) for provider in available)
    for name in wanted:
        if name.lower() not in names:
            raise ParameterError(
                f"OnnxOp.providers: there is no provider {name!r}", f"this machine has {offered}"
            )
    chosen = [names[name.lower()] for name in wanted or USUAL if name.lower() in names]
    chosen = [provider for provider in chosen if provider in available]
    if not chosen:
        raise ParameterError(
            f"OnnxOp.providers: none of {', '.join(wanted or USUAL)} is available",
            f"this machine has {offered}",
        )
    return chosen
