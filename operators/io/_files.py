"""Output paths, names of inputs in files, and pixels as files can store them."""

from __future__ import annotations

import contextlib
import os
import re
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath

from holoflow.core.array import Array, to_numpy
from holoflow.core.errors import HoloflowError, ParameterError
from holoflow.core.pictures import Image
from holoflow.operators.visualize._pixels import SHOWN, Scale, pixels


def output_file(folder: Path, path: str) -> Path:
    """Return `path` within the output `folder`, with its folders created if missing.

    Raises:
        ParameterError: `path` leads out of `folder`.
    """
    parts = PurePath(path).parts
    if PurePath(path).is_absolute() or ".." in parts or not parts:
        raise ParameterError(
            f"{path!r} is not in the output folder", "write a path relative to it, without '..'"
        )
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    return file


def part_name(path: str, generation: int) -> str:
    """Return the name of a file that a restarted operator writes instead of continuing `path`.

    It is `clip.mp4` at first, then `clip.2.mp4` and so on.
    """
    name = PurePath(path)
    return str(name.with_name(f"{name.stem}.{generation + 1}{name.suffix}") if generation else path)


def cut_to_whole_lines(file: Path) -> None:
    """Remove an incomplete last line that a dead process has left; `file` may be missing."""
    with contextlib.suppress(FileNotFoundError), file.open("r+b") as lines:
        end = lines.seek(0, os.SEEK_END)
        while end:
            begin = max(end - 65536, 0)
            lines.seek(begin)
            newline = lines.read(end - begin).rfind(b"\n")
            if newline >= 0:
                end = begin + newline + 1
                break
            end = begin
        lines.truncate(end)


def claimed(path: str) -> str:
    """Return the claim of a writer of `path` in the output folder, which only one can have."""
    return f"the file {PurePath(path)}"


@contextmanager
def naming(file: Path) -> Iterator[None]:
    """Put the name of `file` into every OSError of the block that lacks one."""
    try:
        yield
    except OSError as error:
        if error.filename is not None:
            raise
        raise OSError(error.errno, error.strerror or str(error), str(file)) from None


def check_linked(descriptor: int, file: Path) -> None:
    """Raise HoloflowError if `file`, open as `descriptor`, was removed: writes to it are lost."""
    if not os.fstat(descriptor).st_nlink:
        raise HoloflowError(
            f"{file} was removed while it was being written, and what was in it is lost",
            "let nothing clean up the output folder during a run",
        )


class NumberSet:
    """A set of mostly ascending numbers that needs little memory."""

    _GAPS = 10_000

    def __init__(self) -> None:
        self._end = 0
        self._gaps: deque[range] = deque(maxlen=self._GAPS)
        """Numbers below `_end` that are not in the set; if there are too many, the lowest count as
        in."""

    def add(self, number: int) -> bool:
        """Add `number`; return False if it was there already."""
        if number >= self._end:
            if number > self._end:
                self._gaps.append(range(self._end, number))
            self._end = number + 1
            return True
        for index, gap in enumerate(self._gaps):
            if number in gap:
                self._gaps[index] = range(gap.start, number)
                if len(self._gaps) < self._GAPS:
                    self._gaps.insert(index + 1, range(number + 1, gap.stop))
                return True
        return False


class NumberedFiles:
    """Names of files in the output folder, one for each message.

    In the pattern, `{sequence}` stands for the number of the frame, and `{index}` for that of the
    message, counted from 0 in the order of writing; both have six digits or more.
    """

    PATTERN = r"^[^{}]*(\{(sequence|index)\}[^{}]*)+"
    """What a pattern must match; a suffix is appended to it."""

    def __init__(self, folder: Path, pattern: str, *, go_on: bool = False) -> None:
        """Use `pattern` in `folder`.

        Args:
            folder: The output folder.
            pattern: Relative path with `{sequence}` or `{index}`.
            go_on: Whether to continue the numbers of existing files.

        Raises:
            ParameterError: The pattern is invalid, or leads out of `folder`.
        """
        output_file(folder, pattern)
        self._folder, self._pattern = folder, pattern
        self._index = self._next_index() if go_on else 0
        self._taken = NumberSet()

    def _next_index(self) -> int:
        """Return the index after the highest one of existing files."""
        parts = re.split(r"(\{sequence\}|\{index\})", self._pattern)
        known = {"{sequence}": r"\d+", "{index}": r"(\d+)"}
        named = re.compile("".join(known.get(part) or re.escape(part) for part in parts))
        found = -1
        for file in self._folder.rglob("*"):
            match = named.fullmatch(file.relative_to(self._folder).as_posix())
            found = max([found, *map(int, match.groups())]) if match else found
        return found + 1

    def next(self, sequence: int) -> Path:
        """Return the file for a message of frame `sequence`.

        Raises:
            HoloflowError: It would overwrite a file of this run.
        """
        if "{index}" not in self._pattern and not self._taken.add(sequence):
            raise HoloflowError(
                f"there are several messages of frame {sequence}, which would use the same file",
                f"write {{index}} in the path {self._pattern}",
            )
        name = self._pattern.replace("{sequence}", f"{sequence:06d}")
        file = output_file(self._folder, name.replace("{index}", f"{self._index:06d}"))
        self._index += 1
        return file


OF_THE_HEADER = ("sequence", "timestamp", "source", "metadata")


def check_names(names: Iterable[str]) -> None:
    """Raise HoloflowError if an input has the name of a field of the header."""
    for name in names:
        if name in OF_THE_HEADER:
            raise HoloflowError(
                f"an input named {name!r} would collide with the header's", "give it another name"
            )


def eight_bits(image: Image, scale: Scale) -> Array:
    """Return the pixels of `image` in main memory as uint8; `scale` says what is white.

    Raises:
        HoloflowError: No file can store its colour order or dtype.
    """
    checked(image)
    return pixels(image, scale)


def checked(image: Image) -> Array:
    """Return the pixels of `image` in main memory; HoloflowError if they cannot be written."""
    if image.colour not in SHOWN:
        raise HoloflowError(
            f"an image in {image.colour} cannot be written",
            f"put preprocess.colour before it, which converts to {', '.join(SHOWN)}",
        )
    data = to_numpy(image.data)
    if data.dtype.kind not in "buf":
        raise HoloflowError(
            f"an image of {data.dtype} cannot be written",
            "it must be of unsigned integers, or of floats from 0 to 1",
        )
    return data
