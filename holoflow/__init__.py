"""holoflow: streaming sensor pipelines from one YAML file, on NVIDIA Holoscan."""

from holoflow import startup  # noqa: F401, I001 - first: it guards what is imported after it
from holoflow import cuda
from holoflow.context import OperatorContext
from holoflow.errors import (
    AppError,
    HoloflowError,
    MissingExtraError,
    OperatorDefinitionError,
    ParameterError,
)
from holoflow.hosting import hosted
from holoflow.message import Header, Stamped
from holoflow.operator import Batching, Operator, param
from holoflow.payload import (
    Array,
    Arrays,
    Boxes,
    Colour,
    Geometry,
    Image,
    Keypoints,
    Mask,
    PointCloud,
    Pose,
    Quaternion,
    Signal,
    Text,
    Volume,
    namespace,
    to_numpy,
)
from holoflow.ports import Latest
from holoflow.quantity import Duration, Frequency, Size

__version__ = "0.1.0"

cuda.load_runtime()

__all__ = [
    "AppError", "Array", "Arrays", "Batching", "Boxes", "Colour", "Duration", "Frequency",
    "Geometry", "Header", "HoloflowError", "Image", "Keypoints", "Latest", "Mask",
    "MissingExtraError", "Operator", "OperatorContext", "OperatorDefinitionError",
    "ParameterError", "PointCloud", "Pose", "Quaternion", "Signal", "Size", "Stamped", "Text",
    "Volume", "hosted", "namespace", "param", "to_numpy",
]  # fmt: skip
