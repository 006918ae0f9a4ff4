"""Large files: no check may take time that grows with the square of the size."""

import pytest

from holoflow.app import operators
from holoflow.core.errors import AppError

pytestmark = pytest.mark.slow

COUNT = 10_000


def chain(first: str, kind: str = "./ops.py:GrayOp") -> str:
    lines = ["app: big\noperators:\n", first]
    lines += [f"  o{i}: {{type: '{kind}', inputs: {{image: o{i - 1}}}}}\n" for i in range(1, COUNT)]
    return "".join(lines)


SOURCE = "  o0: {type: './ops.py:CameraOp'}\n"


def test_ten_thousand_operators(load_text):
    budgets = "".join(f"  - {{from: o0, to: o{i}, p99: 1s}}\n" for i in range(1, COUNT, 10))
    app = load_text(chain(SOURCE) + "budgets:\n" + budgets)
    assert (len(app.operators), len(app.flows)) == (COUNT, COUNT - 1)


def test_ten_thousand_operators_in_a_circle(load_text):
    first = f"  o0: {{type: './ops.py:GrayOp', inputs: {{image: o{COUNT - 1}}}}}\n"
    with pytest.raises(AppError) as caught:
        load_text(chain(first))
    assert len(caught.value.mistakes) == 1
    assert len(str(caught.value)) < 500


def test_ten_thousand_wrong_operators(load_text):
    with pytest.raises(AppError) as caught:
        load_text(chain(SOURCE, "capture.vidoe").replace("image: o", "imgae: p"))
    assert len(caught.value.mistakes) == 2 * (COUNT - 1)


def test_thirty_thousand_unknown_parameters(load_text):
    given = ", ".join(f"p{i}: 1" for i in range(30_000))
    text = f"app: x\noperators: {{a: {{type: './ops.py:CameraOp', with: {{{given}}}}}}}"
    with pytest.raises(AppError) as caught:
        load_text(text)
    assert len(caught.value.mistakes) == 30_000


def test_a_limit_on_operators(load_text, monkeypatch):
    monkeypatch.setattr(operators, "MAX_OPERATORS", 1_000)
    text = "app: big\noperators:\n" + "".join(f"  o{i}: {{use: x}}\n" for i in range(1_001))
    with pytest.raises(AppError, match="more than 1,000 operators"):
        load_text(text)
