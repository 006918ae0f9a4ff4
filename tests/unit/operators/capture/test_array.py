import io
from contextlib import suppress
from itertools import islice

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.damage import damaged

from holoflow import Arrays, HoloflowError, ParameterError
from holoflow.operators.capture.array import ArrayOp

RANDOM = np.random.default_rng(0)


@pytest.fixture
def save(tmp_path):
    def to_file(array=None, **arrays):
        path = tmp_path / ("a.npz" if arrays else "a.npy")
        np.savez(path, **arrays) if arrays else np.save(path, array)
        return str(path)

    return to_file


def read(path, limit=1000, rate=10, **parameters):
    return list(islice(ArrayOp(path=path, rate=rate, **parameters).frames(), limit))


def test_entries_of_the_first_axis(save):
    data = RANDOM.standard_normal((4, 3, 2))
    frames = read(save(data))
    np.testing.assert_array_equal([frame.payload for frame in frames], data)
    assert [frame.elapsed for frame in frames] == [i * 10**8 for i in range(4)]
    assert all(frame.wait for frame in frames)
    assert not read(save(data), paced=False)[0].wait


def test_entries_are_copies_in_allocated_memory(save):
    operator = ArrayOp(path=save(np.zeros((2, 3), np.int16)), rate=10)
    asked = []
    operator.context.allocate = lambda *call: asked.append(call) or np.empty(*call)
    for frame in operator.frames():
        frame.payload[:] = 1
    assert asked == [((1, 3), np.int16)] * 2
    assert np.load(operator.path).max() == 0


@pytest.mark.parametrize(
    ("shape", "colour"), [((2, 5, 6), "gray"), ((2, 5, 6, 3), "bgr"), ((2, 5, 6, 4), "rgba")]
)
def test_images(save, shape, colour):
    data = RANDOM.integers(0, 255, shape, np.uint8)
    chosen = {} if colour == "gray" else {"colour": colour}
    frames = read(save(data), payload="image", **chosen)
    assert [frame.payload.colour for frame in frames] == [colour, colour]
    np.testing.assert_array_equal(frames[1].payload.data, data[1])


@pytest.mark.parametrize("block", [1, 3, 7, 100])
@pytest.mark.parametrize("shape", [(20,), (20, 2)])
def test_signals_come_in_blocks(save, shape, block):
    data = RANDOM.standard_normal(shape)
    frames = read(save(data), payload="signal", block=block, rate="10hz")
    joined = np.concatenate([frame.payload.data for frame in frames])
    np.testing.assert_array_equal(joined, data.reshape(20, -1))
    assert all(frame.payload.rate == 10 for frame in frames)
    assert [frame.elapsed for frame in frames] == [i * 10**8 for i in range(0, 20, block)]


def test_a_looped_signal_goes_on_in_time(save):
    frames = read(save(np.arange(5)), 6, payload="signal", block=2, loop=True)
    assert [len(frame.payload.data) for frame in frames] == [2, 2, 1, 2, 2, 1]
    assert [frame.elapsed // 10**8 for frame in frames] == [0, 2, 4, 5, 7, 9]


def test_volumes(save):
    frames = read(save(np.zeros((2, 3, 4, 5))), payload="volume")
    assert [frame.payload.data.shape for frame in frames] == [(3, 4, 5)] * 2


def test_all_arrays_of_a_file(save):
    path = save(a=np.arange(3), b=np.arange(6).reshape(3, 2))
    frames = read(path, payload="arrays")
    assert isinstance(frames[2].payload, Arrays)
    assert {name: a.tolist() for name, a in frames[2].payload.items()} == {"a": 2, "b": [4, 5]}


def test_one_array_of_a_file(save):
    path = save(a=np.arange(3), b=np.arange(6))
    assert len(read(path, key="b")) == 6
    assert len(read(save(only=np.arange(4)))) == 4


@pytest.mark.parametrize(
    ("arrays", "parameters", "message"),
    [
        ({"a": np.zeros(3), "b": np.zeros(3)}, {}, "the arrays a, b in .*choose one by `key`"),
        ({"a": np.zeros(3), "b": np.zeros(3)}, {"key": "c"}, "; there are a, b"),
        ({"a": np.zeros(3), "b": np.zeros(4)}, {"payload": "arrays"}, r"a \(3,\), b \(4,\)"),
        ({"a": np.zeros(())}, {}, r"are a \(\); all must have"),
        ({"a": np.zeros((0, 3))}, {}, r"are a \(0, 3\); all must have"),
        ({"a": np.zeros((3, 4))}, {"payload": "image"}, r"a\.npz: Image\.data must be"),
        ({"a": np.zeros((3, 4, 5))}, {"payload": "signal"}, "shape"),
    ],
)
def test_what_does_not_fit_is_an_error(save, arrays, parameters, message):
    with pytest.raises(HoloflowError, match=message):
        read(save(**arrays), **parameters)


@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
def test_python_objects_are_never_loaded(tmp_path, name):
    path = tmp_path / name
    objects = np.array([print], dtype=object)
    (np.savez if name == "a.npz" else np.save)(path, objects)
    with pytest.raises(HoloflowError, match=f"Python objects, which are never loaded.*{name}"):
        read(str(path))


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04broken", b"\x93NUMPY\x01\x00v\x00{"])
def test_a_broken_file_is_an_error_that_names_it(tmp_path, content):
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    with pytest.raises(HoloflowError, match=r"cannot read .*a\.npz"):
        read(str(path))


def test_a_file_cut_short_is_an_error(save):
    path = save(np.zeros(1000))
    with open(path, "r+b") as file:
        file.truncate(4000)
    with pytest.raises(HoloflowError, match=r"cannot read .*a\.npy"):
        read(path)


def test_a_rate_is_required():
    with pytest.raises(ParameterError, match="'rate' is required"):
        ArrayOp(path="a.npy")


@given(data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_damaged_files_give_entries_or_an_error(data, tmp_path_factory):
    path = tmp_path_factory.mktemp("damaged") / "file.npz"
    buffer = io.BytesIO()
    save = data.draw(st.sampled_from([np.save, np.savez, np.savez_compressed]))
    save(buffer, np.arange(600).reshape(20, 30))
    path.write_bytes(damaged(data, buffer.getvalue()))
    with suppress(HoloflowError):
        list(islice(ArrayOp(path=str(path), rate="10hz").frames(), 3))
