"""Pictures of what operators make of an image, from the operators themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from holoflow import Boxes, Image, Mask, to_numpy

ABOUT = "Pictures show the result beside the input: a photograph, or frames of `capture.synthetic`."
PHOTOGRAPH = Path(__file__).parents[2] / "apps" / "faces" / "picture.jpg"


@dataclass(frozen=True)
class Shot:
    """Parameters of an operator, and how many frames of a scene it has seen; 0: a photograph."""

    parameters: Mapping[str, Any] = field(default_factory=dict)
    frames: int = 0
    colour: str = "rgb"


SHOTS = {
    "preprocess.background": Shot(frames=40),
    "preprocess.colour": Shot({"to": "gray"}),
    "preprocess.contrast": Shot({"low": 5.0, "high": 95.0}),
    "preprocess.crop": Shot({"left": 180, "top": 90, "width": 220, "height": 260}),
    "preprocess.difference": Shot(frames=2),
    "preprocess.gaussian": Shot({"sigma": 5.0}),
    "preprocess.letterbox": Shot({"width": 432, "height": 432}),
    "preprocess.median": Shot({"radius": 4}, colour="gray"),
    "preprocess.resize": Shot({"scale": 0.4}),
    "preprocess.speckle": Shot({"radius": 4}, colour="gray"),
}


def drawn(classes: Mapping[str, str]) -> dict[str, bytes]:
    """Return a PNG file for each operator of the catalogue that can be shown, by its name."""
    scene = list(_scene(_made(classes["capture.synthetic"], length=40, paced=False)))
    images = [frame for frame, _ in scene]
    found = {"capture.synthetic": [images[0]]}
    for name, shot in SHOTS.items():
        operator = _made(classes[name], **shot.parameters)
        given = images[: shot.frames] if shot.frames else [_photograph(shot.colour)]
        results = [operator.process(image) for image in given]
        found[name] = [given[-1], results[-1]]
    image, boxes = scene[20]
    found["visualize.overlay"] = [image, _made(classes["visualize.overlay"]).process(image, boxes)]
    found["visualize.mosaic"] = [_made(classes["visualize.mosaic"]).process(images[10:14])]
    return {name: _png(pictures) for name, pictures in found.items()}


def _made(cls: str, **parameters: Any) -> Any:
    """Return an operator by `module:Class`."""
    module, _, name = cls.partition(":")
    operator = getattr(import_module(module), name)(**parameters)
    operator.start()
    return operator


def _scene(source: Any) -> Iterator[tuple[Image, Boxes]]:
    for sent in source.frames():
        outputs = getattr(sent, "payload", sent)
        yield outputs["image"], outputs["boxes"]


def _photograph(colour: str) -> Image:
    pixels = cv2.imread(str(PHOTOGRAPH))
    if colour == "gray":
        return Image(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), "gray")
    return Image(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB))


def _png(pictures: list[Image | Mask]) -> bytes:
    """Return pictures side by side, in one of the height of the tallest."""
    shown = [_bgr(picture) for picture in pictures]
    height = max(one.shape[0] for one in shown)
    padded = [
        np.pad(one, ((0, height - one.shape[0]), (0, 16), (0, 0)), constant_values=255)
        for one in shown
    ]
    _, data = cv2.imencode(".png", np.concatenate(padded, axis=1)[:, :-16])
    return data.tobytes()


def _bgr(picture: Image | Mask) -> np.ndarray[Any, Any]:
    pixels = to_numpy(picture.data)
    if isinstance(picture, Mask):
        pixels = (pixels > 0).astype(np.uint8) * 255
    if pixels.dtype != np.uint8:
        pixels = np.clip(pixels * 255.0, 0, 255).astype(np.uint8)
    if pixels.ndim == 2 or pixels.shape[2] == 1:
        return cv2.cvtColor(pixels.reshape(pixels.shape[:2]), cv2.COLOR_GRAY2BGR)
    return cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
