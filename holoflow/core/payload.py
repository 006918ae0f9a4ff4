"""Payload types: what messages carry, with documented shapes, dtypes, units and colour order."""

from holoflow.core.array import Array, namespace, to_numpy
from holoflow.core.geometry import Geometry
from holoflow.core.objects import Boxes, Keypoints, PointCloud, Pose, Quaternion
from holoflow.core.pictures import Colour, Image, Mask, Volume
from holoflow.core.samples import Arrays, Signal, Text

__all__ = [
    "Array", "Arrays", "Boxes", "Colour", "Geometry", "Image", "Keypoints", "Mask", "PointCloud",
    "Pose", "Quaternion", "Signal", "Text", "Volume", "namespace", "to_numpy",
]  # fmt: skip
