"""Models that are declared for one size only, although they compute any."""

from __future__ import annotations

from collections.abc import Sequence

from holoflow.core.errors import optional


def with_free_axes(path: str, axes: Sequence[int]) -> bytes:
    """Return the ONNX model in the file `path` with the lengths of `axes` left open.

    This holds for each input and output that has such an axis; names of axes stay. Weights that
    are listed as inputs, as old exporters do, become constants, so that the model can be
    optimised.
    Raises onnx's and protobuf's errors for a file that is no model.
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
    # Shapes in between were derived from the ones that are now open.
    del graph.value_info[:]
    content: bytes = model.SerializeToString()
    return content
