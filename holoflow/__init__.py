"""holoflow: streaming sensor pipelines from one YAML file, on NVIDIA Holoscan."""

import importlib
from typing import TYPE_CHECKING, Any

from holoflow.core import lifecycle  # noqa: F401 - first: it guards what is imported after it
from holoflow.core.version import __version__ as __version__
from holoflow.holoscan import runtime

if TYPE_CHECKING:
    from holoflow.api.ended_run import EndedRun
    from holoflow.api.handle import RunHandle
    from holoflow.api.run import run, run_async
    from holoflow.app.builder import AppBuilder as App
    from holoflow.app.load import load
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
    from holoflow.engine.hosted import hosted

runtime.find_libraries()

__all__ = [
    "App", "AppError", "Array", "Arrays", "Batching", "Boxes", "Colour", "Duration", "EndedRun",
    "Frequency", "Geometry", "Header", "HoloflowError", "Image", "Keypoints", "Latest", "Mask",
    "MissingExtraError", "Operator", "OperatorContext", "OperatorDefinitionError",
    "ParameterError", "PointCloud", "Pose", "Quaternion", "RunHandle", "Signal", "Size",
    "Stamped", "Text", "Volume", "hosted", "load", "namespace", "param", "run", "run_async",
    "to_numpy",
]  # fmt: skip

# Imported when they are first asked for: NumPy and pydantic take longer to import than all else
# that `holoflow --help` does, and only applications written by hand need `hosted`.
_MODULES = {
    "api.ended_run": ("EndedRun",),
    "api.handle": ("RunHandle",),
    "api.run": ("run", "run_async"),
    "app.builder": ("App",),
    "app.load": ("load",),
    "core.array": ("Array", "namespace", "to_numpy"),
    "core.errors": (
        "AppError", "HoloflowError", "MissingExtraError", "OperatorDefinitionError",
        "ParameterError",
    ),
    "core.geometry": ("Geometry",),
    "core.message": ("Header", "Stamped"),
    "core.objects": ("Boxes", "Keypoints", "PointCloud", "Pose", "Quaternion"),
    "core.operator": ("Batching", "Operator", "OperatorContext", "param"),
    "core.pictures": ("Colour", "Image", "Mask", "Volume"),
    "core.ports": ("Latest",),
    "core.quantity": ("Duration", "Frequency", "Size"),
    "core.samples": ("Arrays", "Signal", "Text"),
    "engine.hosted": ("hosted",),
}  # fmt: skip
_INSIDE = {"App": "AppBuilder"}
"""Names in the package where they differ: inside, an App is the checked value that comes of it."""
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f"{__name__}.{_MODULE_OF[name]}")
    value = getattr(module, _INSIDE.get(name, name))
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
