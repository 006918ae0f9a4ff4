"""What a DICOM file says of its frames: when they come, how far apart their pixels are, how dark.

Pure functions of a data set that pydicom has read. Section numbers are those of the DICOM
standard, part 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np

from holoflow.extras import optional
from holoflow.payload import Array

_TWO_DIMENSIONAL = 1
_CENTIMETRES = 3
_MILLISECOND = 1e6
_IN_FUNCTIONAL_GROUPS = (
    "PixelMeasuresSequence", "PixelValueTransformationSequence", "FrameVOILUTSequence",
)  # fmt: skip
_OF_A_FRAME = (
    "PhotometricInterpretation", "PixelRepresentation", "BitsStored", "PixelSpacing",
    "RescaleSlope", "RescaleIntercept", "ModalityLUTSequence", "VOILUTSequence",
    "WindowCenter", "WindowWidth", "VOILUTFunction",
)  # fmt: skip


class Region(NamedTuple):
    """A calibrated part of the picture."""

    spacing: tuple[float, float]
    """Distance of pixel centres down and across in mm."""
    box: tuple[int, int, int, int]
    """Left, top, right, bottom in pixels."""


def frame_count(data: Any) -> int:
    """Return the number of frames."""
    return int(data.get("NumberOfFrames") or 1)


def frame_starts(data: Any) -> list[int] | None:
    """Return when each frame begins and the last one ends, in ns; None where nothing says it."""
    count = frame_count(data)
    steps = [float(step) for step in _list(data.get("FrameTimeVector"))]
    if len(steps) == count > 1:
        # Each is the time since the frame before; the last frame stays as long as it took to come.
        steps = [*steps[1:], steps[-1]]
    elif data.get("FrameTime"):
        steps = [float(data.FrameTime)] * count
    else:
        rate = float(data.get("CineRate") or data.get("RecommendedDisplayFrameRate") or 0)
        if rate <= 0:
            return None
        steps = [1000 / rate] * count
    return [round(at * _MILLISECOND) for at in accumulate(steps, initial=0.0)]


def attributes_of(data: Any, frame: int) -> Any:
    """Return a data set of what says how to show `frame`, wherever in the file it stands."""
    found = optional("pydicom", "dicom").Dataset()
    found.file_meta = data.file_meta
    for keyword in _OF_A_FRAME:
        if keyword in data:
            found[keyword] = data[keyword]
    shared = _list(data.get("SharedFunctionalGroupsSequence"))[:1]
    own = _list(data.get("PerFrameFunctionalGroupsSequence"))[frame : frame + 1]
    for group in [*shared, *own]:
        for sequence in _IN_FUNCTIONAL_GROUPS:
            for item in _list(group.get(sequence))[:1]:
                found.update(item)
    return found


def ultrasound_regions(data: Any) -> list[Region]:
    """Return the two-dimensional parts calibrated in centimetres, the largest first (C.8.5.5)."""
    regions = []
    for item in _list(data.get("SequenceOfUltrasoundRegions")):
        units = (item.get("PhysicalUnitsXDirection"), item.get("PhysicalUnitsYDirection"))
        down = abs(float(item.get("PhysicalDeltaY") or 0))
        across = abs(float(item.get("PhysicalDeltaX") or 0))
        if (
            item.get("RegionSpatialFormat") == _TWO_DIMENSIONAL
            and units == (_CENTIMETRES, _CENTIMETRES)
            and down > 0
            and across > 0
        ):
            left, top = int(item.RegionLocationMinX0), int(item.RegionLocationMinY0)
            right, bottom = int(item.RegionLocationMaxX1) + 1, int(item.RegionLocationMaxY1) + 1
            regions.append(Region((10 * down, 10 * across), (left, top, right, bottom)))
    return sorted(regions, key=lambda region: -_area(region.box))


def _area(box: tuple[int, int, int, int]) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])


def in_their_unit(stored: Array, attributes: Any) -> Array:
    """Return stored gray values in the unit of the modality, float32 (C.11.1)."""
    pixels = optional("pydicom.pixels", "dicom")
    return np.asarray(pixels.apply_modality_lut(stored, attributes), np.float32)


def display_range(stored: Array, attributes: Any) -> tuple[float, float]:
    """Return the values in their unit that are to be black and white where no window says it.

    All that can be stored, up to 8 bits; beyond that the range of `stored`.
    """
    bits = int(attributes.get("BitsStored") or 32)
    signed = bool(attributes.get("PixelRepresentation"))
    ends = np.array([stored.min(), stored.max()])
    if bits <= 8:
        lowest = -(2 ** (bits - 1)) if signed else 0
        ends = np.array([lowest, lowest + 2**bits - 1])
    values = in_their_unit(ends, attributes)
    return float(values.min()), float(values.max())


def as_shown(values: Array, attributes: Any, full_range: tuple[float, float]) -> Array:
    """Return values in their unit as uint8: windowed, dark is low (C.11.2, C.7.6.3.1.2)."""
    shown = _windowed(values, attributes, full_range)
    if attributes.PhotometricInterpretation == "MONOCHROME1":
        shown = 1 - shown
    return np.asarray(np.rint(255 * shown), np.uint8)


def _windowed(values: Array, attributes: Any, full_range: tuple[float, float]) -> Array:
    """Return `values` from 0 to 1."""
    tables = _list(attributes.get("VOILUTSequence"))
    if tables:
        pixels = optional("pydicom.pixels", "dicom")
        looked_up = pixels.apply_voi(np.rint(values).astype(np.int32), attributes)
        return np.asarray(looked_up / (2.0 ** int(tables[0].LUTDescriptor[2]) - 1))
    centres, widths = (_list(attributes.get(key)) for key in ("WindowCenter", "WindowWidth"))
    function = str(attributes.get("VOILUTFunction") or "LINEAR").upper()
    if centres and widths:
        centre, width = float(centres[0]), float(widths[0])
        if function == "SIGMOID":
            return np.asarray(1 / (1 + np.exp(-4 * (values - centre) / width)))
        if function == "LINEAR":
            centre, width = centre - 0.5, width - 1
    else:
        centre, width = sum(full_range) / 2, full_range[1] - full_range[0]
    # A window without width is a threshold.
    return np.clip((values - centre) / max(width, 1e-6) + 0.5, 0, 1)


def to_eight_bits(colours: Array, bits: int) -> Array:
    """Return colour values of `bits` bits as uint8."""
    return np.asarray(colours >> max(bits - 8, 0), np.uint8)


def _list(value: Any) -> Sequence[Any]:
    """Return the values of an element that may be missing, single or several."""
    if value is None or value == "":
        return []
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else [value]
