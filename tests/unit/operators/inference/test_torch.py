"""`inference.torch` computes real models where PyTorch is installed, else says how to get it."""

import importlib.util
import re
import warnings
import zipfile

import numpy as np
import pytest

from holoflow import Arrays, HoloflowError, MissingExtraError, ParameterError
from holoflow.operators.inference.torch import TorchOp

pytestmark = pytest.mark.slow


def started(model, **parameters):
    op = TorchOp(model=str(model), device="cpu", **parameters)
    op.start()
    return op


def rows(*values):
    data = np.array([values], np.float32)
    data.flags.writeable = False
    return data


def test_models_are_computed_or_the_extra_is_named(tmp_path):
    if importlib.util.find_spec("torch") is None:
        with pytest.raises(MissingExtraError, match=r"pip install 'holoflow\[torch\]'"):
            started(tmp_path / "m.pt")
        return
    for check in (script, exported, several, misfits, broken, expressions):
        check(tmp_path)


def script(folder):
    import torch

    class Double(torch.nn.Module):
        def forward(self, x):
            x += x  # in place, which must not reach the message
            return x

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.script(Double()).save(folder / "double.pt")
    op, sent = started(folder / "double.pt"), rows(1, 2)
    found = op.process(Arrays(any=sent))
    np.testing.assert_array_equal(found["output_0"], [[2, 4]])
    np.testing.assert_array_equal(sent, [[1, 2]])


def export(folder, name, model, *arguments):
    import torch

    path = folder / name
    torch.export.save(torch.export.export(model, arguments), path)
    return path


def exported(folder):
    import torch

    layer = torch.nn.Linear(2, 1).eval()
    path = export(folder, "linear.pt2", layer, torch.zeros(1, 2))
    found = started(path, trusted=True, outputs=["y"]).process(Arrays(x=rows(3, 4)))["y"]
    with torch.no_grad():
        expected = layer(torch.tensor([[3.0, 4.0]])).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def several(folder):
    import torch

    class Both(torch.nn.Module):
        def forward(self, a, b):
            return {"minus": a - b, "plus": a + b}

    path = export(folder, "both.pt2", Both(), torch.zeros(1, 2), torch.zeros(1, 2))
    op = started(path, trusted=True, inputs=["a", "b"])
    found = op.process(Arrays(b=rows(1, 1), a=rows(5, 6)))
    assert {name: array.tolist() for name, array in found.items()} == {
        "minus": [[4, 5]], "plus": [[6, 7]],
    }  # fmt: skip
    with pytest.raises(ValueError, match=r"both\.pt2 takes \['a', 'b'\], got .*\['a'\]"):
        op.process(Arrays(a=rows(1, 2)))
    with pytest.raises(HoloflowError, match="returns 2 tensors, `outputs` has 1 names"):
        started(path, trusted=True, inputs=["a", "b"], outputs=["x"]).process(
            Arrays(a=rows(1, 2), b=rows(1, 2))
        )


def misfits(folder):
    op = started(folder / "linear.pt2", trusted=True)
    with pytest.raises(HoloflowError, match=r"linear\.pt2 failed on x float32 \(1, 3\): "):
        op.process(Arrays(x=rows(1, 2, 3)))
    with pytest.raises(ValueError, match="takes one array"):
        op.process(Arrays(x=rows(1, 2), y=rows(1, 2)))


def broken(folder):
    for name in ("broken.pt", "broken.pt2"):
        (folder / name).write_bytes(b"nothing")
        with pytest.raises(HoloflowError, match=rf"cannot load the model .*{name}"):
            started(folder / name, trusted=True)
    with pytest.raises(ParameterError, match=r"not model\.pth"):
        started(folder / "model.pth")


def expressions(folder):
    """An exported program that would run code when it is loaded is not opened without trust."""
    import torch

    class Pairs(torch.nn.Module):
        def forward(self, x):
            return x.reshape(-1, 2) * 2

    shapes = {"x": {0: torch.export.Dim("n", min=2, max=64)}}
    program = torch.export.export(Pairs(), (torch.ones(8, 2),), dynamic_shapes=shapes)
    torch.export.save(program, folder / "pairs.pt2")
    sprung, trap = folder / "sprung", folder / "trap.pt2"
    code = f"__import__('pathlib').Path('{sprung}').touch()"
    with zipfile.ZipFile(folder / "pairs.pt2") as source, zipfile.ZipFile(trap, "w") as copy:
        for name in source.namelist():
            data = source.read(name)
            if name.endswith("models/model.json"):
                data = re.sub(rb'("expr_str": ?")[^"]*', rb"\1" + code.encode(), data)
            copy.writestr(name, data)
    with pytest.raises(ParameterError, match=r"set `trusted: true` if trap\.pt2 is from"):
        started(trap)
    assert not sprung.exists()
