"""What a DICOM file says about its frames: their times, pixel spacing and gray values.

Pure functions of a data set read by pydicom. Section numbers refer to part 3 of the DICOM
standard.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np

from holoflow.core.array import Array
from holoflow.core.errors import optional

_TWO_DIMENSIONAL = 1
_CENTIMETRES = 3
_MILLISECOND = 1e6
_FRAME_TIME = 0x00181063
"""The tag of the element FrameTime, as a FrameIncrementPointer names it."""
_OF_THE_FILE = ("PhotometricInterpretation", "PixelRepresentation", "BitsStored")
_OF_A_FRAME = {
    "PixelMeasuresSequence": ("PixelSpacing",),
    "PixelValueTransformationSequence": (
        "RescaleSlope", "RescaleIntercept", "RescaleType", "ModalityLUTSequence",
    ),
    "FrameVOILUTSequence": ("WindowCenter", "WindowWidth", "VOILUTFunction", "VOILUTSequence"),
}  # fmt: skip
"""Attributes that may be given for all frames, or in a functional group of one or of all frames."""
_PLANES = ("Red", "Green", "Blue")
_UNSPECIFIED = "US"


class Region(NamedTuple):
    """A calibrated part of the picture."""

    spacing: tuple[float, float]
    """Distances of pixel centres in mm, vertically and horizontally."""
    box: tuple[int, int, int, int]
    """Left, top, right and bottom in pixels."""


def frame_count(data: Any) -> int:
    """Return the number of frames."""
    return int(data.get("NumberOfFrames") or 1)


def frame_starts(data: Any) -> list[int] | None:
    """Return when each frame begins and the last one ends, in ns; None if the file does not say."""
    count = frame_count(data)
    steps = [float(step) for step in _list(data.get("FrameTimeVector"))]
    if data.get("FrameIncrementPointer") == _FRAME_TIME and data.get("FrameTime"):
        steps = [float(data.FrameTime)] * count
    elif len(steps) == count > 1:
        # Each is the time since the previous frame; the last frame lasts as long as its
        # predecessor.
        steps = [*steps[1:], steps[-1]]
    elif data.get("FrameTime"):
        steps = [float(data.FrameTime)] * count
    else:
        rate = float(data.get("CineRate") or data.get("RecommendedDisplayFrameRate") or 0)
        if rate <= 0:
            return None
        steps = [1000 / rate] * count
    if not all(0 <= step < math.inf for step in steps):
        raise ValueError("times between frames must be finite numbers from 0 on")
    return [round(at * _MILLISECOND) for at in accumulate(steps, initial=0.0)]


def attributes_of(data: Any, frame: int) -> Any:
    """Return a data set with the attributes for displaying `frame`, wherever the file has them."""
    found = optional("pydicom", "dicom").Dataset()
    found.file_meta = data.file_meta
    shared = _list(data.get("SharedFunctionalGroupsSequence"))[:1]
    own = _list(data.get("PerFrameFunctionalGroupsSequence"))[frame : frame + 1]
    places = [dict.fromkeys(_OF_THE_FILE, data)]
    for sequence, keywords in _OF_A_FRAME.items():
        # All from one place: a slope from one and a table from another do not belong together.
        items = [item for group in [*own, *shared] for item in _list(group.get(sequence))[:1]]
        places.append(dict.fromkeys(keywords, items[0] if items else data))
    for keyword, place in (pair for several in places for pair in several.items()):
        if keyword in place:
            found[keyword] = place[keyword]
    return found


def unit(data: Any, attributes: Any) -> str | None:
    """Return the unit of the values of a modality, such as HU; None if the file has none.

    Raises:
        ValueError: The only unit is that of a mapping that is not applied.
    """
    said = attributes.get("RescaleType") or data.get("Units")
    if said and said != _UNSPECIFIED:
        return str(said)
    mapped = data.get("RealWorldValueMappingSequence")
    if mapped and not {"RescaleSlope", "ModalityLUTSequence"} & set(attributes.dir()):
        raise ValueError("it has a mapping to real-world values, which is not applied")
    return None


def spacing(data: Any) -> tuple[float, float] | None:
    """Return the distances of pixel centres in mm, vertically and horizontally; None if unknown."""
    said = (
        attributes_of(data, 0).get("PixelSpacing")
        or data.get("ImagerPixelSpacing")
        or data.get("NominalScannedPixelSpacing")
    )
    if not said:
        return None
    down, across = (float(step) for step in said)
    if "PixelSpacing" not in attributes_of(data, 0):
        # An object in front of the detector is smaller than its shadow.
        factor = float(data.get("EstimatedRadiographicMagnificationFactor") or 1)
        down, across = down / factor, across / factor
    if not (0 < down < math.inf and 0 < across < math.inf):
        raise ValueError(f"a spacing must be two distances above 0, not {down:g} and {across:g} mm")
    return down, across


def is_at_the_detector(data: Any) -> bool:
    """Whether `spacing` is that at the detector, and not that of the object in front of it."""
    return (
        "PixelSpacing" not in attributes_of(data, 0)
        and bool(data.get("ImagerPixelSpacing"))
        and not data.get("EstimatedRadiographicMagnificationFactor")
    )


def is_uneven(data: Any) -> bool:
    """Whether the file says that pixels are not square."""
    sides = [float(side) for side in _list(data.get("PixelAspectRatio"))]
    return len(set(sides)) > 1


def is_calibrated_otherwise(data: Any) -> bool:
    """Whether parts of an ultrasound picture are calibrated, but none in centimetres both ways.

    A spectrum, for example, is calibrated in seconds and centimetres per second.
    """
    return bool(_list(data.get("SequenceOfUltrasoundRegions"))) and not ultrasound_regions(data)


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
    """Return the values to be shown as black and white if the file has no window.

    Up to 8 bits this is the range of what can be stored, beyond that the range of `stored`.
    """
    bits = int(attributes.get("BitsStored") or 32)
    signed = bool(attributes.get("PixelRepresentation"))
    finite = stored[np.isfinite(stored)]
    ends = np.array([finite.min(), finite.max()] if finite.size else [0, 1])
    if bits <= 8:
        lowest = -(2 ** (bits - 1)) if signed else 0
        ends = np.array([lowest, lowest + 2**bits - 1])
    values = in_their_unit(ends, attributes)
    return float(values.min()), float(values.max())


def as_shown(values: Array, attributes: Any, full_range: tuple[float, float]) -> Array:
    """Return values in their unit as uint8, windowed, low ones dark (C.11.2, C.7.6.3.1.2)."""
    shown = _windowed(values, attributes, full_range)
    if attributes.PhotometricInterpretation == "MONOCHROME1":
        shown = 1 - shown
    return np.asarray(np.rint(255 * np.nan_to_num(np.clip(shown, 0, 1))), np.uint8)


def _windowed(values: Array, attributes: Any, full_range: tuple[float, float]) -> Array:
    """Return `values` scaled to 0 to 1."""
    tables = _list(attributes.get("VOILUTSequence"))
    if tables:
        entries, first, bits = (int(number) for number in tables[0].LUTDescriptor)
        table = _table(tables[0].LUTData, entries, attributes)
        shown = looked_up(values, table, first)
        return np.asarray(shown / (2.0 ** depth(bits, int(table.max())) - 1))
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


def depth(said: int, highest: int) -> int:
    """Return the bits of a table's values, which claims `said` bits and has the maximum `highest`.

    The claim is often the size of the words in which the values are stored.
    """
    needed = max(highest.bit_length(), 8)
    return needed if needed > said or (said == 16 and needed <= 12) else said


def palette(data: Any) -> tuple[Array, int]:
    """Return the colours of a palette, (entries, 3) uint8, and the stored value of the first one.

    Lower values have the first colour, values beyond the last entry the last one (C.7.6.3.1.5).
    """
    entries, first, bits = (int(number) for number in data.RedPaletteColorLookupTableDescriptor)
    if "RedPaletteColorLookupTableData" in data:
        words = [data[f"{plane}PaletteColorLookupTableData"].value for plane in _PLANES]
        table = np.stack([_table(plane, entries, data) for plane in words], axis=-1)
    else:
        entries = entries or 2**16
        stored = np.arange(first, first + entries, dtype=np.int32)
        if bits == 8 and entries > 256:
            raise ValueError(f"a segmented palette of {entries} colours of 8 bits is not read")
        pixels = optional("pydicom.pixels", "dicom")
        table = pixels.apply_color_lut(stored, data)[:, :3]
    return to_eight_bits(table, 16 if table.max() > 255 else 8), first


def _table(written: Any, entries: int, data: Any) -> Array:
    """Return the values of a table as uint16, given as numbers or as bytes."""
    entries = entries or 2**16
    values = np.asarray(written)
    if isinstance(written, bytes):
        order = "<" if data.file_meta.TransferSyntaxUID.is_little_endian else ">"
        wide = len(written) >= 2 * entries
        values = np.frombuffer(
            written[: len(written) // 2 * 2] if wide else written, f"{order}u2" if wide else "u1"
        )
    if values.size < entries:
        raise ValueError(f"a table has {values.size} of {entries} values")
    return values[:entries].astype(np.uint16)


def looked_up(values: Array, table: Array, first: int) -> Array:
    """Return the entries of `table` for `values`; the first is for `first` and all lower values."""
    place = np.clip(np.nan_to_num(np.rint(values)) - first, 0, len(table) - 1)
    return np.asarray(table[place.astype(np.int64)])


def to_eight_bits(colours: Array, bits: int) -> Array:
    """Return colour values of `bits` bits as uint8."""
    return np.asarray(colours >> max(bits - 8, 0), np.uint8)


def _list(value: Any) -> Sequence[Any]:
    """Return the values of an element that may be missing, a single value or several."""
    if value is None or value == "":
        return []
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else [value]
