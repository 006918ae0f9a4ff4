"""`capture.dicom`: frames of a DICOM file."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import PositiveFloat

from holoflow.core.array import Array
from holoflow.core.errors import HoloflowError, optional
from holoflow.core.files import InputPath
from holoflow.core.geometry import Geometry
from holoflow.core.message import Stamped
from holoflow.core.operator import Operator, param
from holoflow.core.pictures import Image
from holoflow.core.quantity import Frequency
from holoflow.core.times import at_rate
from holoflow.operators.capture import _dicom

_GRAY = ("MONOCHROME1", "MONOCHROME2")
_COLOURED = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
"""Kinds of pixels that the decoder converts to RGB."""
_KNOWN = (*_GRAY, *_COLOURED, "PALETTE COLOR")


class DicomOp(Operator):
    """Read the frames of a DICOM file: a cine loop, or a single image.

    Colour images are rgb, all others gray. Gray values are windowed for display as the file says;
    if it says nothing and they have more than 8 bits, over the range of frame 0. With `values:
    modality` they keep their own unit, such as Hounsfield's. Frames have the times of the file, or
    are evenly spaced if `rate` is given.

    The header's metadata contains `frame` (from 0), `modality` and, with `values: modality`,
    `unit`, if the file has them. The image's geometry has the distance of pixel centres
    (`image.spacing_mm`), if the file states it. An ultrasound file states it for a part of the
    picture (`image.geometry.source_region`); of several parts the largest is used. A part that
    extends beyond the picture is ignored, because the frames were resized after the calibration;
    use `spacing` then. A warning says if a file is calibrated in other units than cm, or states
    only the shape of its pixels, or only their distance at a detector, where everything appears
    larger than it is. Nothing that identifies the patient leaves this operator, unless it is burnt
    into the pixels.

    A frame that cannot be decoded stops the run, or is skipped with `on_error: skip`.

    Needs the extra `dicom`.

    Example:
        cine:
          type: capture.dicom
          with: {path: cine.dcm, loop: true}
    """

    heavy: ClassVar[bool] = True

    path: InputPath = param(doc="a DICOM file")
    rate: Frequency | None = param(
        None, gt=0, doc="frames per second, instead of the file's own times"
    )
    paced: bool = param(
        True, doc="hold each frame until its time; false: send as fast as the app takes them"
    )
    loop: bool = param(False, doc="start again at the end, without end")
    values: Literal["display", "modality"] = param(
        "display", doc="gray values: for display (uint8), or in their unit (float32)"
    )
    spacing: tuple[PositiveFloat, PositiveFloat] | None = param(
        None,
        doc="distances of pixel centres in mm, vertically and horizontally, instead of the file's",
    )

    def start(self) -> None:
        """Read everything except the pixels, so that mistakes show before frame 0."""
        self._data = self._read()
        try:
            self._starts = self._frame_starts()
            modality = str(self._data.get("Modality", ""))
            self._metadata = {"modality": modality}
            self._geometry = self._calibrated()
            if self._data.PhotometricInterpretation == "PALETTE COLOR":
                self._colours, self._first = _dicom.palette(self._data)
            elif self.values == "modality":
                unit = _dicom.unit(self._data, _dicom.attributes_of(self._data, 0))
                self._metadata |= {"unit": unit} if unit else {}
        except Exception as error:  # libraries may raise anything for a damaged file
            why = " ".join(str(error).split())
            raise HoloflowError(f"the DICOM header is wrong: {why}: {self.path}") from None

    def frames(self) -> Iterator[Stamped[Image]]:
        """Yield (height, width, 3) rgb uint8, or (height, width) gray; call `start()` first."""
        self._decoding: Iterator[Array] | None = None
        self._range: tuple[float, float] | None = None
        # A generator would end at the first frame that cannot be decoded.
        return map(self._frame, count() if self.loop else range(len(self._starts) - 1))

    def _frame(self, number: int) -> Stamped[Image]:
        """Return frame `number`, counted over all repetitions of the file."""
        *starts, period = self._starts
        played, index = divmod(number, len(starts))
        return Stamped(
            replace(self._image(self._decoded(index), index), geometry=self._geometry),
            elapsed=played * period + starts[index],
            wait=self.paced,
            metadata={"frame": index, **self._metadata},
        )

    def _read(self) -> Any:
        pydicom = optional("pydicom", "dicom")
        # pydicom logs what it raises, with a traceback; here each error is reported once.
        logging.getLogger("pydicom.pixels.decoders").setLevel(logging.CRITICAL)
        try:
            data = pydicom.dcmread(self.path, stop_before_pixels=True)
            kind = data.get("PhotometricInterpretation")
        except pydicom.errors.InvalidDicomError:
            raise HoloflowError(f"not a DICOM file: {self.path}") from None
        except OSError:
            raise
        except Exception as error:  # libraries may raise anything for a damaged file
            why = " ".join(str(error).split())
            raise HoloflowError(f"the DICOM file is incomplete: {why}: {self.path}") from None
        if kind is None:
            raise HoloflowError(f"there is no image in the DICOM file {self.path}")
        if kind not in _KNOWN:
            raise HoloflowError(
                f"pixels in {kind} are not read, only in {', '.join(_KNOWN)}: {self.path}"
            )
        return data

    def _frame_starts(self) -> list[int]:
        frames = _dicom.frame_count(self._data)
        if not 0 < frames <= Path(self.path).stat().st_size:
            raise ValueError(f"it cannot have {frames} frames")
        if self.rate is not None:
            return [at_rate(index, self.rate) for index in range(frames + 1)]
        starts = _dicom.frame_starts(self._data)
        if starts is None:
            if frames > 1 or self.loop:
                raise HoloflowError(f"there are no times of frames in {self.path}", "give a `rate`")
            return [0, 0]
        return starts

    def _calibrated(self) -> Geometry:
        """Return the frames' geometry, with the distance of pixels if it is known."""
        whole = Geometry.of(int(self._data.Columns), int(self._data.Rows))
        if self.spacing is not None:
            return replace(whole, source_spacing_mm=self.spacing)
        spacing = _dicom.spacing(self._data)
        if spacing:
            if _dicom.is_at_the_detector(self._data):
                self.context.log.warning(
                    "the pixel distance is that at the detector; objects in front of it are "
                    "smaller, and the file does not say by how much; give `spacing` if you know "
                    "it: %s", self.path,
                )  # fmt: skip
            return replace(whole, source_spacing_mm=spacing)
        for region in _dicom.ultrasound_regions(self._data)[:1]:
            left, top, right, bottom = region.box
            if 0 <= left < right <= whole.width and 0 <= top < bottom <= whole.height:
                return replace(whole, source_spacing_mm=region.spacing, source_region=region.box)
            self.context.log.warning(
                "the file is calibrated for a picture larger than its %d x %d pixels, so its "
                "scale is not used; give `spacing` if you know it: %s",
                whole.width, whole.height, self.path,
            )  # fmt: skip
            return whole
        if _dicom.is_calibrated_otherwise(self._data):
            self.context.log.warning(
                "no part of the picture is calibrated in cm, so the pixel distance is unknown: %s",
                self.path,
            )
        if _dicom.is_uneven(self._data):
            down, across = self._data.PixelAspectRatio
            self.context.log.warning(
                "pixels are not square, but %s to %s (height to width), and their size is "
                "unknown; give `spacing`: %s", down, across, self.path,
            )  # fmt: skip
        return whole

    def _decoded(self, index: int) -> Array:
        """Return a frame as stored; raises HoloflowError if it cannot be read."""
        if index == 0 or self._decoding is None:
            self._decoding = self._stored(index)
        decoding, self._decoding = self._decoding, None
        try:
            pixels = next(decoding)
        except StopIteration:
            raise HoloflowError(f"there is no frame {index} in {self.path}") from None
        except OSError:
            raise
        except Exception as error:
            # pydicom and its decoders may raise anything for pixels that are missing, truncated or
            # of a kind that no installed library decodes.
            why = " ".join(str(error).split())
            raise HoloflowError(f"frame {index} is unreadable: {why}: {self.path}") from None
        self._decoding = decoding
        return pixels

    def _stored(self, first: int) -> Iterator[Array]:
        """Yield the stored frames from `first` on."""
        pixels = optional("pydicom.pixels", "dicom")
        indices = range(first, _dicom.frame_count(self._data))
        started = False
        try:
            for frame in pixels.iter_pixels(self.path, indices=indices):
                started = True
                yield frame
        except Exception:
            if started:
                raise
        if not started:  # some files, such as deflated ones, can only be read as a whole
            data = optional("pydicom", "dicom").dcmread(self.path)
            for index in indices:
                yield pixels.pixel_array(data, index=index)

    def _image(self, pixels: Array, index: int) -> Image:
        kind = self._data.PhotometricInterpretation
        if kind == "PALETTE COLOR":
            return Image(_dicom.looked_up(pixels, self._colours, self._first), "rgb")
        if kind not in _GRAY:
            return Image(_dicom.to_eight_bits(pixels, int(self._data.BitsStored)), "rgb")
        attributes = _dicom.attributes_of(self._data, index)
        values = _dicom.in_their_unit(pixels, attributes)
        if self.values == "modality":
            return Image(values, "gray")
        if self._range is None:  # the same for all frames, so that the picture does not flicker
            self._range = _dicom.display_range(pixels, attributes)
        return Image(_dicom.as_shown(values, attributes, self._range), "gray")
