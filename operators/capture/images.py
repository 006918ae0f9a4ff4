"""Frames from image files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from holoflow.errors import HoloflowError
from holoflow.extras import optional
from holoflow.message import Stamped
from holoflow.operator import Operator, param
from holoflow.operators.capture._timeline import at_rate
from holoflow.paths import InputPath
from holoflow.payload import Array, Image
from holoflow.quantity import Frequency

SUFFIXES = frozenset(
    (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".pgm", ".ppm", ".pnm", ".jp2")
)


class ImagesOp(Operator):
    """Read the image files of a folder, in the order of their names: frame2 before frame10.

    The header's metadata holds `file`, the name within the folder. Images may differ in size.
    The app fails on a file that cannot be read, or goes on with the next one where it has
    `on_error: skip`; it fails on a folder without images.

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
        doc="which files of the folder, such as `left_*.png`, with `**/` also of folders in it; "
        "by default all images in it",
    )
    rate: Frequency = param("30hz", gt=0, doc="images a second")
    paced: bool = param(
        True, doc="hold each image until its time; false: as fast as the app takes them"
    )
    loop: bool = param(False, doc="begin again at the end, for ever")
    colour: Literal["rgb", "bgr", "gray"] = param("rgb", doc="order of the channels")

    def frames(self) -> Iterator[Stamped[Image]]:
        """Give (height, width, 3) or, for gray, (height, width); dtype as stored: 8 or 16 bits."""
        cv2 = optional("cv2", "vision")
        folder, files = _find(Path(self.path), self.pattern)

        def frame(index: int) -> Stamped[Image]:
            file = files[index % len(files)]
            return Stamped(
                Image(_read(cv2, file, self.colour), self.colour),
                elapsed=at_rate(index, self.rate),
                wait=self.paced,
                metadata={"file": file.relative_to(folder).as_posix()},
            )

        # A generator would end with the first file that cannot be read.
        return map(frame, count() if self.loop else range(len(files)))


def natural_order(path: Path) -> tuple[list[str | int], str]:
    """Return a key that sorts numbers in names by their value."""
    name = path.as_posix()
    # Split by a group, the odd parts are the numbers: strings never meet numbers.
    parts = re.split(r"([0-9]+)", name.lower())
    return [int(part) if i % 2 else part for i, part in enumerate(parts)], name


def _find(path: Path, pattern: str | None) -> tuple[Path, list[Path]]:
    """Return the folder and its files in order; raises HoloflowError where there are none."""
    if path.is_file():
        return path.parent, [path]
    if not path.is_dir():
        raise HoloflowError(f"there is no such folder or file of images: {path}")
    try:
        found = [file for file in path.glob(pattern or "*") if file.is_file()]
    except (ValueError, NotImplementedError) as error:
        raise HoloflowError(f"{pattern!r} is no pattern of files: {error}") from None
    if pattern is None:
        found = [file for file in found if file.suffix.lower() in SUFFIXES]
    if not found:
        what = "no image" if pattern is None else f"nothing that matches {pattern!r}"
        raise HoloflowError(f"there is {what} in the folder {path}")
    return path, sorted(found, key=natural_order)


def _read(cv2: Any, file: Path, colour: str) -> Array:
    """Return the pixels of `file`; raises OSError, or HoloflowError where it is no image."""
    data = np.fromfile(file, np.uint8)
    kind = cv2.IMREAD_GRAYSCALE if colour == "gray" else cv2.IMREAD_COLOR
    pixels: Array | None = cv2.imdecode(data, kind | cv2.IMREAD_ANYDEPTH) if data.size else None
    if pixels is None:
        raise HoloflowError(f"not an image that can be read: {file}")
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB) if colour == "rgb" else pixels
