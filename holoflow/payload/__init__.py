"""Payload types: what messages carry, with documented shapes, dtypes, units and colour order."""

from holoflow.payload.array import Array, namespace, to_numpy
from holoflow.payload.arrays import Arrays
from holoflow.payload.boxes import Boxes
from holoflow.payload.geometry import Geometry
from holoflow.payload.image import Colour, Image
from holoflow.payload.keypoints import Keypoints
from holoflow.payload.mask import Mask
from holoflow.payload.point_cloud import PointCloud
from holoflow.payload.pose import Pose, Quaternion
from holoflow.payload.signal import Signal
from holoflow.payload.text import Text
from holoflow.payload.volume import Volume

__all__ = [
    "Array", "Arrays", "Boxes", "Colour", "Geometry", "Image", "Keypoints", "Mask", "PointCloud",
    "Pose", "Quaternion", "Signal", "Text", "Volume", "namespace", "to_numpy",
]  # fmt: skip
