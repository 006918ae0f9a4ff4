"""`capture.images`: frames from image files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain, repeat
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from holoflow.core.array import Array
from holoflow.core.errors import HoloflowError
from holoflow.core.files import InputPath
from holoflow.core.message import Stamped
from holoflow.core.operator import Operator, param
from holoflow.core.pictures import Image
from holoflow.core.quantity import Frequency
from holoflow.core.times import at_rate
from holoflow.operators.capture._pictures import has_more, pictures, refused

SUFFIXES = frozenset([
    ".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".pgm", ".ppm", ".pnm", ".jp2",
    ".gif", ".apng", ".avif",
])  # fmt: skip


class ImagesOp(Operator):
    """Read the image files of a folder, in natural order of their names: frame2 before frame10.

    All pages of a TIFF file and all frames of an animation are sent in order; of a JPEG file with
    several pictures (MPO), the first. Pictures are upright, according to their EXIF data, and keep
    the depth of the file; floats are unchanged. Colour profiles and transparency are ignored,
    except that a transparent TIFF file is shown over black. Files in CIELAB, and AVIF files that
    must be turned, are refused.

    The header's metadata contains `file`, the name within the folder, and `picture` (from 0) if the
    file has several. Images may differ in size. The app fails on a file that cannot be read
    completely, or skips it with `on_error: skip`; it fails on a folder without images.

    Needs the extra `vision`.

    Example:
        slices:
          type: capture.images
          with: {path: scan, pattern: "*.png", rate: 10hz}
    """

    heavy: ClassVar[bool] = True

    path: InputPath = param(doc="folder, or one file")
    pattern: str | None = param(
        None,
        min_length=1,
        doc="which files of the folder, such as `left_*.png`; `**/` includes its subfolders; "
        "by default all images in it",
    )
    rate: Frequency = param("30hz", gt=0, doc="images per second")
    paced: bool = param(
        True, doc="hold each image until its time; false: send as fast as the app takes them"
    )
    loop: bool = param(False, doc="start again at the end, without end")
    colour: Literal["rgb", "bgr", "gray"] = param("rgb", doc="order of the channels")

    _told = False

    def frames(self) -> Iterator[Stamped[Image]]:
        """Yield (height, width, 3) or, for gray, (height, width); dtype as stored."""
        folder, files = _find(Path(self.path), self.pattern)
        played = chain.from_iterable(repeat(files)) if self.loop else iter(files)
        return _Frames(self, folder, played)

    def read(self, file: Path) -> list[Array]:
        """Return the pictures of `file`.

        Raises:
            OSError: It cannot be read.
            HoloflowError: It is not an image.
        """
        content = np.fromfile(file, np.uint8)
        why = refused(content)
        if why is not None:
            raise HoloflowError(f"{why}: {file}")
        found = pictures(content, self.colour)
        if not found:
            raise HoloflowError(f"not an image that can be read: {file}")
        if len(found) == 1 and has_more(content) and not self._told:
            self._told = True
            self.context.log.warning(
                "of the pictures in a JPEG file only the first is read: %s", file
            )
        return found


class _Frames(Iterator[Stamped[Image]]):
    """The pictures of files; unlike a generator, it continues after a file that cannot be read."""

    def __init__(self, operator: ImagesOp, folder: Path, files: Iterator[Path]) -> None:
        self._operator, self._folder, self._files = operator, folder, files
        self._pictures: Iterator[tuple[Array, dict[str, Any]]] = iter(())
        self._index = -1

    def __next__(self) -> Stamped[Image]:
        found = next(self._pictures, None)
        self._index += 1  # also for a file that cannot be read
        if found is None:
            self._pictures = self._read(next(self._files))
            found = next(self._pictures)
        pixels, metadata = found
        return Stamped(
            Image(pixels, self._operator.colour),
            elapsed=at_rate(self._index, self._operator.rate),
            wait=self._operator.paced,
            metadata=metadata,
        )

    def _read(self, file: Path) -> Iterator[tuple[Array, dict[str, Any]]]:
        found = self._operator.read(file)
        metadata = {"file": file.relative_to(self._folder).as_posix()}
        if len(found) == 1:
            return iter([(found[0], metadata)])
        return ((pixels, {**metadata, "picture": n}) for n, pixels in enumerate(found))


def natural_order(path: Path) -> tuple[list[str | int], str]:
    """Return a sort key by which numbers in names are ordered by their value."""
    name = path.as_posix()
    # Split at a group, the odd parts are the numbers: strings are never compared with numbers.
    parts = re.split(r"([0-9]+)", name.lower())
    return [int(part) if i % 2 else part for i, part in enumerate(parts)], name


def _find(path: Path, pattern: str | None) -> tuple[Path, list[Path]]:
    """Return the folder and its files in order; raises HoloflowError if there are none."""
    if path.is_file():
        return path.parent, [path]
    if not path.is_dir():
        raise HoloflowError(f"there is no such folder or file of images: {path}")
    try:
        found = [file for file in path.glob(pattern or "*") if file.is_file()]
    except (ValueError, NotImplementedError) as error:
        raise HoloflowError(f"{pattern!r} is not a pattern of files: {error}") from None
    if pattern is None:
        found = [file for file in found if file.suffix.lower() in SUFFIXES]
    if not found:
        what = "no image" if pattern is None else f"nothing that matches {pattern!r}"
        raise HoloflowError(f"there is {what} in the folder {path}")
    return path, sorted(found, key=natural_order)
