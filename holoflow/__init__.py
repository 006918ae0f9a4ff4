"""holoflow: streaming sensor pipelines from one YAML file, on NVIDIA Holoscan."""

from typing import TYPE_CHECKING, Any

from holoflow.core import lifecycle  # noqa: F401 - first: it guards what is imported after it
from holoflow.core.array import Array, namespace, to_numpy
from holoflow.core.errors import (
    AppError,
    HoloflowError,
    MissingExtraError,
    OperatorDefinitionError,
    ParameterError,
)
from holoflow.core.geometry import Geometry
from holoflow.core.message import Header, Stamped
from holoflow.core.objects import Boxes, Keypoints, PointCloud, Pose, Quaternion
from holoflow.core.operator import Batching, Operator, OperatorContext, param
from holoflow.core.pictures import Colour, Image, Mask, Volume
from holoflow.core.ports import Latest
from holoflow.core.quantity import Duration, Frequency, Size
from holoflow.core.samples import Arrays, Signal, Text
from holoflow.core.version import __version__ as __version__
from holoflow.holoscan import runtime

if TYPE_CHECKING:
    from holoflow.engine.hosted import hosted

runtime.load_runtime()

__all__ = [
    "AppError", "Array", "Arrays", "Batching", "Boxes", "Colour", "Duration", "Frequency",
    "Geometry", "Header", "HoloflowError", "Image", "Keypoints", "Latest", "Mask",
    "MissingExtraError", "Operator", "OperatorContext", "OperatorDefinitionError",
    "ParameterError", "PointCloud", "Pose", "Quaternion", "Signal", "Size", "Stamped", "Text",
    "Volume", "hosted", "namespace", "param", "to_numpy",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    # Only applications that are written by hand need the engine with what an app is.
    if name == "hosted":
        from holoflow.engine.hosted import hosted

        return hosted
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
