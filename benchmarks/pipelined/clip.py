"""The clip of the pipeline that begins with one."""

from __future__ import annotations

from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

FRAMES = 60


def write_clip(source: Path, target: Path, width: int, height: int) -> None:
    """Write the first frames of the clip `source` in a size of their own, as H.264."""
    import av

    with av.open(str(source)) as given, av.open(str(target), "w") as made:
        stream: Any = made.add_stream("libx264", rate=30, options={"preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number, frame in enumerate(islice(given.decode(video=0), FRAMES)):
            scaled = frame.reformat(width=width, height=height, format="yuv420p")
            scaled.pts, scaled.time_base = number, Fraction(1, 30)
            made.mux(stream.encode(scaled))
        made.mux(stream.encode(None))
