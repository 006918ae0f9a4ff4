"""`io.image_writer`: frames to image files."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from holoflow.core.array import Array, to_numpy
from holoflow.core.errors import HoloflowError, optional
from holoflow.core.files import OutputPath, write_whole
from holoflow.core.message import Header
from holoflow.core.operator import Operator, param
from holoflow.core.pictures import Image
from holoflow.operators.io._files import NumberedFiles, checked, claimed, eight_bits, naming
from holoflow.operators.visualize._pixels import Scale

_TO_BGR = {"rgb": "RGB2BGR", "rgba": "RGBA2BGRA"}
_WITHOUT_ALPHA = {"rgba": "RGBA2BGR", "bgra": "BGRA2BGR"}


class ImageWriterOp(Operator):
    """Write each image to a file of its own, as PNG (exact) or JPEG.

    Accepts gray, rgb, bgr, rgba and bgra. PNG stores 8 and 16 bits and transparency; anything else
    is converted to 8 bits. Floats from 0 to 1 are scaled; values out of this range are scaled by
    the number of bits that they need, with a warning. A file is written completely or not at all,
    whenever the program ends.

    Needs the extra `vision`.

    Example:
        stills:
          type: io.image_writer
          inputs: {image: overlay}
          with: {path: "stills/{sequence}.png"}
    """

    heavy: ClassVar[bool] = True

    path: OutputPath = param(
        "{sequence}.png",
        pattern=NumberedFiles.PATTERN + r"\.(png|jpg|jpeg)$",
        doc="files in the output folder; {sequence} is the frame's number, {index} the message's",
    )
    quality: int = param(90, ge=1, le=100, doc="quality of JPEG; 100 is best", live=True)

    def claims(self) -> tuple[str, ...]:
        """Return the files that only this operator may write."""
        return (claimed(self.path),)

    def start(self) -> None:
        """Create the folder."""
        self._scale = Scale(self.context.warn_once)
        self._files = NumberedFiles(
            self.context.output, self.path, go_on=self.context.generation > 0
        )
        self.context.announce("images", str(self.context.output / self.path))

    def process(self, image: Image, header: Header) -> None:
        """Write one file."""
        file = self._files.next(header.sequence)
        data = _encoded(image, file.suffix, self.quality, self._scale)
        with naming(file):
            write_whole(file, data, 0o666)
        if file.suffix == ".png" and image.data.dtype == np.uint16:
            _, white = Scale().of(to_numpy(image.data))
            if white < np.iinfo(np.uint16).max:
                self.context.warn_once(
                    "PNG files store 16 bits unchanged, and these values need fewer, up "
                    "to %g: viewers will show them dark; preprocess.contrast before it scales "
                    "them to full scale", white,
                )  # fmt: skip


def _encoded(image: Image, suffix: str, quality: int, scale: Scale) -> bytes:
    cv2 = optional("cv2", "vision")
    png = suffix == ".png"
    pixels = checked(image)
    if not (png and pixels.dtype == np.uint16):
        pixels = eight_bits(image, scale)
    conversion = (_TO_BGR if png else {**_TO_BGR, **_WITHOUT_ALPHA}).get(image.colour)
    if conversion is not None:
        pixels = cv2.cvtColor(np.ascontiguousarray(pixels), getattr(cv2, f"COLOR_{conversion}"))
    options = [] if png else [cv2.IMWRITE_JPEG_QUALITY, quality]
    done: bool
    data: Array
    done, data = cv2.imencode(suffix, pixels, options)
    if not done:
        raise HoloflowError(f"an image of {image.width} x {image.height} cannot be encoded")
    return data.tobytes()
