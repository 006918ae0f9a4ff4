"""`visualize.overlay`: drawing on the picture."""

from __future__ import annotations

import unicodedata
from typing import Any

import numpy as np
import numpy.typing as npt

from holoflow.core.errors import optional
from holoflow.core.objects import Boxes, Keypoints
from holoflow.core.operator import Operator, param
from holoflow.core.pictures import Image, Mask
from holoflow.core.samples import Text
from holoflow.operators.visualize._marks import (
    PALETTE,
    BoxMark,
    LabelPart,
    box_marks,
    check_size,
    mask_colours,
    on,
    points,
)
from holoflow.operators.visualize._pixels import Scale, pixels

Canvas = npt.NDArray[np.uint8]

_SPELLED = str.maketrans(
    {"µ": "u", "μ": "u", "°": " deg", "±": "+-", "×": "x", "Ø": "O", "ø": "o", "–": "-"}  # noqa: RUF001
)


class OverlayOp(Operator):
    """Draw boxes, masks, keypoints and text onto the picture.

    The colour of a box or a mask is that of its class, from a fixed palette that colour-blind
    people can distinguish; that of a keypoint depends on its position in the list. Objects found in
    another picture of the same source (a larger or smaller one, or a part of it) are drawn where
    they are in this one; those of another source are an error. Lines and letters scale with the
    size of the image. The result has 8 bits per channel in the colour order of the input, rgb for
    gray. Letters are ASCII: accents are dropped. `visualize.web` draws all this itself, sharper,
    and to be switched on and off.

    Example:
        overlay:
          type: visualize.overlay
          inputs: {image: camera, boxes: detect}
          with: {labels: [name, score]}
    """

    labels: tuple[LabelPart, ...] = param(
        ("name", "id", "score"), doc="text at a box, in this order; empty for none", live=True
    )
    opacity: float = param(0.4, ge=0, le=1, doc="opacity of masks; 1 hides the picture", live=True)
    thickness: int = param(
        0,
        ge=0,
        le=50,
        doc="width of lines in pixels; 0 scales with the size of the image",
        live=True,
    )

    _scale: Scale | None = None

    def start(self) -> None:
        """Load OpenCV."""
        self._scale = None
        self._draw()

    def process(
        self,
        image: Image,
        boxes: Boxes | None = None,
        mask: Mask | None = None,
        keypoints: Keypoints | None = None,
        text: Text | None = None,
    ) -> Image:
        """Return a copy of `image` with everything drawn; ValueError if it cannot be shown."""
        draw = self._draw()
        scale = self._scale = self._scale or Scale(self.context.warn_once)
        source = pixels(image, scale)
        if image.colour == "gray":
            canvas, colour = np.repeat(source[:, :, None], 3, axis=2), "rgb"
        else:
            canvas, colour = source.copy(), image.colour
        pen = _Pen(draw, canvas, reverse=colour.startswith("bgr"), thickness=self.thickness)
        boxes, mask, keypoints = on(image, boxes), on(image, mask), on(image, keypoints)
        if mask is not None:
            check_size(mask, image)
            pen.mask(*mask_colours(mask), self.opacity)
        if boxes is not None:
            marks = box_marks(boxes, self.labels, image.width, image.height)
            for mark in marks:
                pen.box(mark)
            # After all boxes, so that no line runs through a label.
            for mark in marks:
                pen.label(mark)
        if keypoints is not None:
            for one in points(keypoints):
                pen.keypoints(one, keypoints.edges)
        if text is not None:
            pen.text(text.text)
        return Image(canvas, "rgb" if image.colour == "gray" else image.colour, image.geometry)

    @staticmethod
    def _draw() -> Any:
        return optional("cv2", "vision")


class _Pen:
    """Draws onto one canvas with OpenCV."""

    def __init__(self, cv2: Any, canvas: Canvas, *, reverse: bool, thickness: int) -> None:
        self.cv2 = cv2
        self.canvas = canvas
        size = min(canvas.shape[:2])
        self.thickness = thickness or max(1, round(size / 360))
        self.font = cv2.FONT_HERSHEY_SIMPLEX
        self.scale = max(0.35, size / 1200)
        self.weight = max(1, round(self.scale * 1.5))
        (_, self.ascent), self.descent = cv2.getTextSize("Ag", self.font, self.scale, self.weight)
        self.palette = [self._colour(*rgb[::-1] if reverse else rgb) for rgb in PALETTE]
        self.black, self.white = self._colour(0, 0, 0), self._colour(255, 255, 255)

    def _colour(self, *channels: int) -> tuple[int, ...]:
        return (*channels, 255)[: self.canvas.shape[2]]

    def mask(self, part: Canvas, left: int, top: int, opacity: float) -> None:
        height, width = part.shape
        if not height:
            return
        table = np.zeros((256, 1, self.canvas.shape[2]), np.uint8)
        table[1 : len(self.palette) + 1, 0] = self.palette
        region = self.canvas[top : top + height, left : left + width]
        layer = self.cv2.LUT(self.cv2.merge([part] * self.canvas.shape[2]), table)
        blended = self.cv2.addWeighted(region, 1 - opacity, layer, opacity, 0)
        self.cv2.copyTo(blended, part, region)

    def box(self, mark: BoxMark) -> None:
        x1, y1, x2, y2 = (round(value) for value in mark.xyxy)
        colour = self.palette[mark.colour]
        self.cv2.rectangle(self.canvas, (x1, y1), (x2, y2), colour, self.thickness)

    def label(self, mark: BoxMark) -> None:
        """Write the label above the upper edge of the box, or below if there is no room."""
        if not mark.label:
            return
        label, gap = _ascii(mark.label), self.thickness + 1
        width = self._width(label) + 2 * gap
        height = self.ascent + self.descent + gap
        left = max(0, min(round(mark.xyxy[0]), self.canvas.shape[1] - width))
        bottom = round(mark.xyxy[1])
        if bottom < height:
            bottom = max(0, bottom) + height
        rgb = PALETTE[mark.colour]
        # Luma of ITU-R BT.601.
        dark = 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2] < 110
        ground = self.palette[mark.colour]
        self.cv2.rectangle(
            self.canvas, (left, bottom - height), (left + width, bottom), ground, self.cv2.FILLED
        )
        self._write(label, left + gap, bottom - self.descent, self.white if dark else self.black)

    def keypoints(
        self, one: list[tuple[float, float] | None], edges: tuple[tuple[int, int], ...]
    ) -> None:
        place = [None if point is None else (round(point[0]), round(point[1])) for point in one]
        for a, b in edges:
            if place[a] is not None and place[b] is not None:
                self.cv2.line(
                    self.canvas, place[a], place[b], self.white, self.thickness, self.cv2.LINE_AA
                )
        for index, point in enumerate(place):
            if point is not None:
                colour = self.palette[index % len(self.palette)]
                for radius, fill in (
                    (self.thickness + 2, self.black),
                    (self.thickness + 1, colour),
                ):
                    self.cv2.circle(
                        self.canvas, point, radius, fill, self.cv2.FILLED, self.cv2.LINE_AA
                    )

    def text(self, text: str) -> None:
        """Write `text` in the upper left corner on a dark background."""
        lines = [_ascii(line) for line in text.splitlines()]
        if not lines:
            return
        step, gap = self.ascent + self.descent + 2, 3 * self.thickness
        width = max(self._width(line) for line in lines) + 2 * gap
        ground = self.canvas[: step * len(lines) + 2 * gap, :width]
        shade = np.empty_like(ground)
        shade[:] = self.black
        self.cv2.addWeighted(ground, 0.35, shade, 0.65, 0, dst=ground)
        for row, line in enumerate(lines):
            self._write(line, gap, gap + self.ascent + row * step, self.white)

    def _width(self, text: str) -> int:
        return int(self.cv2.getTextSize(text, self.font, self.scale, self.weight)[0][0])

    def _write(self, text: str, x: int, y: int, colour: tuple[int, ...]) -> None:
        self.cv2.putText(
            self.canvas, text, (x, y), self.font, self.scale, colour, self.weight, self.cv2.LINE_AA
        )


def _ascii(text: str) -> str:
    """Return `text` in the letters that OpenCV's fonts have: `µm²` becomes `um2`."""
    plain = unicodedata.normalize("NFKD", text.translate(_SPELLED))
    return plain.encode("ascii", "ignore").decode()
