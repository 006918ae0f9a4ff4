"""Small ONNX models, made on the spot."""

import numpy as np
import onnx
from onnx import TensorProto, helper


def value(name, shape, kind=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def save(path, nodes, inputs, outputs, weights=()):
    graph = helper.make_graph(nodes, "small", inputs, outputs, list(weights))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return str(path)


def doubling(path, shape=("n", 3), given=None):
    """y = 2 x + batch size, so that it shows how many were computed together."""
    nodes = [
        helper.make_node("Shape", ["x"], ["size"], start=0, end=1),
        helper.make_node("Cast", ["size"], ["length"], to=TensorProto.FLOAT),
        helper.make_node("Add", ["x", "x"], ["twice"]),
        helper.make_node("Add", ["twice", "length"], ["y"]),
    ]
    return save(path, nodes, [value("x", shape)], [value("y", given or shape)])


def found(path, batch, rows):
    """A row for each number that is not 0: index of its row in x, its column."""
    nodes = [
        helper.make_node("NonZero", ["x"], ["places"]),
        helper.make_node("Transpose", ["places"], ["y"], perm=[1, 0]),
    ]
    output = value("y", (rows, 2), TensorProto.INT64)
    return save(path, nodes, [value("x", (batch, 3))], [output])


def of_one_row(path):
    """y = x for one row; an exporter has written the length that it saw into the model."""
    length = onnx.numpy_helper.from_array(np.array([1, 3]), "length")
    nodes = [helper.make_node("Reshape", ["x", "length"], ["y"])]
    return save(path, nodes, [value("x", ("n", 3))], [value("y", ("n", 3))], [length])


def two_in_two_out(path, a=("n", 2), b=("n", 2)):
    """sum = a + b, product = a · b."""
    nodes = [
        helper.make_node("Add", ["a", "b"], ["sum"]),
        helper.make_node("Mul", ["a", "b"], ["product"]),
    ]
    inputs = [value("a", a), value("b", b)]
    return save(path, nodes, inputs, [value("sum", ("n", 2)), value("product", ("n", 2))])


def total(path):
    """Sum of all: an output without the first axis."""
    nodes = [helper.make_node("ReduceSum", ["x"], ["y"], keepdims=0)]
    return save(path, nodes, [value("x", ("n", 3))], [value("y", ())])


def declared_fixed(path):
    """A convolution with ones, declared for 10 x 1 x 8 x 8, its weights listed as an input."""
    ones = onnx.numpy_helper.from_array(np.ones((1, 1, 3, 3), np.float32), "w")
    nodes = [helper.make_node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1])]
    fixed = [10, 1, 8, 8]
    inputs = [value("x", fixed), value("w", [1, 1, 3, 3])]
    return save(path, nodes, inputs, [value("y", fixed)], [ones])
