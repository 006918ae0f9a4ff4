"""`capture.array`: messages from arrays in a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np

from holoflow.core.array import Array
from holoflow.core.errors import HoloflowError
from holoflow.core.files import InputPath
from holoflow.core.message import Stamped
from holoflow.core.operator import Operator, param
from holoflow.core.pictures import Colour, Image, Volume
from holoflow.core.quantity import Frequency
from holoflow.core.samples import Arrays, Signal
from holoflow.core.text import choices, suggestion
from holoflow.core.times import at_rate

_NPY = b"\x93NUMPY"
"""Start of a .npy file."""


class ArrayOp(Operator):
    """Read an array from a .npy or .npz file and send it piece by piece along its first axis.

    Depending on `payload`, a message is one entry of the array (`array`, `image`, `volume`), a
    block of `block` samples (`signal`, whose array is samples x channels, or samples only), or one
    entry of every array in the file, by name (`arrays`). A .npy file is read as needed, an .npz
    file at the start. Files that contain Python objects are refused.

    Example:
        ecg:
          type: capture.array
          with: {path: ecg.npy, payload: signal, rate: 1khz, block: 100}
    """

    path: InputPath = param(doc="a .npy or .npz file")
    rate: Frequency = param(gt=0, doc="entries per second: frames, or samples of a signal")
    payload: Literal["array", "arrays", "image", "signal", "volume"] = param(
        "array", doc="what each message contains"
    )
    key: str | None = param(None, doc="which array of an .npz file; not needed if it has only one")
    block: int = param(1024, ge=1, doc="samples in a message of a signal; the last may have fewer")
    colour: Colour = param("rgb", doc="channels of images with a third axis; others are gray")
    paced: bool = param(
        True, doc="hold each message until its time; false: send as fast as the app takes them"
    )
    loop: bool = param(False, doc="start again at the end, without end")

    def frames(self) -> Iterator[Stamped[Any]]:
        """Yield copies of the entries in the dtype of the file."""
        arrays = self._pick(_load(Path(self.path)))
        entries = min(len(array) for array in arrays.values())
        step = self.block if self.payload == "signal" else 1
        make = self._makers()[self.payload]
        done = 0
        while True:
            for first in range(0, entries, step):
                pieces = {
                    name: self._copy(array[first : first + step]) for name, array in arrays.items()
                }
                try:
                    message = make(pieces)
                except ValueError as error:
                    raise HoloflowError(f"{self.path}: {error}") from None
                yield Stamped(message, elapsed=at_rate(done + first, self.rate), wait=self.paced)
            if not self.loop:
                return
            done += entries

    def _pick(self, arrays: Arrays) -> Arrays:
        """Return the arrays to send; raises HoloflowError if that is not clear."""
        if self.key is not None:
            if self.key not in arrays:
                right = suggestion(self.key, arrays, f"there are {choices(arrays)}")
                raise HoloflowError(f"there is no array {self.key!r} in {self.path}", right)
            arrays = Arrays({self.key: arrays[self.key]})
        if self.payload != "arrays" and len(arrays) != 1:
            raise HoloflowError(
                f"there are the arrays {choices(arrays)} in {self.path}",
                "choose one by `key`, or take all with `payload: arrays`",
            )
        lengths = {len(array) if array.ndim else 0 for array in arrays.values()}
        if len(lengths) != 1 or lengths == {0}:
            shapes = choices(f"{name} {array.shape}" for name, array in arrays.items())
            raise HoloflowError(
                f"the arrays in {self.path} are {shapes}",
                "all must have the same number of entries along their first axis, one or more",
            )
        return arrays

    def _makers(self) -> dict[str, Callable[[dict[str, Array]], Any]]:
        def only(pieces: dict[str, Array]) -> Array:
            return next(iter(pieces.values()))

        def image(pieces: dict[str, Array]) -> Image:
            data = only(pieces)[0]
            return Image(data, "gray" if data.ndim == 2 else self.colour)

        def signal(pieces: dict[str, Array]) -> Signal:
            data = only(pieces)
            return Signal(data[:, None] if data.ndim == 1 else data, self.rate)

        return {
            "array": lambda pieces: only(pieces)[0],
            "arrays": lambda pieces: Arrays({name: piece[0] for name, piece in pieces.items()}),
            "image": image,
            "signal": signal,
            "volume": lambda pieces: Volume(only(pieces)[0]),
        }

    def _copy(self, piece: Array) -> Array:
        copy = self.allocate(piece.shape, piece.dtype)
        np.copyto(copy, piece)
        return copy


def _load(path: Path) -> Arrays:
    """Return the arrays of a file by name; that of a .npy file has the name `""`."""
    try:
        with path.open("rb") as file:
            if file.read(len(_NPY)) != _NPY:
                file.seek(0)
                with np.load(file, allow_pickle=False) as archive:
                    return Arrays({name: archive[name] for name in archive.files})
        return Arrays({"": np.load(path, mmap_mode="r", allow_pickle=False)})
    except Exception as error:  # NumPy and its readers may raise anything for a damaged file
        if isinstance(error, OSError) and error.errno is not None:
            raise
        why = " ".join(str(error).split())
        if "pickle" in why or "Python objects" in why:
            why = "it is another kind of file, or contains Python objects, which are never loaded"
        raise HoloflowError(f"cannot read the file as .npy or .npz: {why}: {path}") from None
