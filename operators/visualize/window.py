"""`visualize.window`: a window on the screen."""

from __future__ import annotations

import contextlib
import threading
from typing import Any

from holoflow.core.errors import HoloflowError, optional
from holoflow.core.operator import Operator, OperatorContext, param
from holoflow.core.pictures import Image
from holoflow.operators.visualize._pixels import Scale, check_shown, pixels

POLL = 10
"""Milliseconds between two checks for a newer frame."""


class WindowOp(Operator):
    """Show the stream in a window on this machine's screen.

    It shows the newest frame, scaled to the window, and never holds up the stream. Closing the
    window does not end the run. Use `visualize.overlay` before it to draw boxes and the like. Needs
    a display and Python's tkinter; `visualize.web` needs neither.

    Example:
        screen:
          type: visualize.window
          inputs: {image: overlay}
    """

    title: str = param("", doc="title of the window; empty for the operator's name")

    def start(self) -> None:
        """Open the window; raises HoloflowError if there is no display."""
        name = self.context.name
        self._window = _Window(
            self.title or name, optional("cv2", "vision"), _tkinter(name), self.context
        )
        failure = self._window.open()
        if failure is not None:
            raise HoloflowError(
                f"{name}: cannot open a window: {failure}",
                "without a display use visualize.web, which shows the stream in a browser",
            )

    def process(self, image: Image) -> None:
        """Show a frame; raises ValueError if it cannot be shown."""
        check_shown(image)
        self._window.show(image)

    def stop(self) -> None:
        """Close the window."""
        self._window.close()


class _Window:
    """A window and the thread in which all its calls are made, as Tk requires."""

    def __init__(self, title: str, cv2: Any, tkinter: Any, context: OperatorContext) -> None:
        self._title = title
        self._cv2 = cv2
        self._tkinter = tkinter
        self._log = context.log
        self._scale = Scale(context.warn_once)
        self._newest: Image | None = None
        self._shown: tuple[Image, int, int] | None = None
        self._opened = threading.Event()
        self._closing = threading.Event()
        self._failure: str | None = None
        self._thread = threading.Thread(target=self._run, name=f"window {title}", daemon=True)

    def open(self) -> str | None:
        """Open the window; return why that is impossible, or None."""
        self._thread.start()
        self._opened.wait()
        return self._failure

    def show(self, image: Image) -> None:
        """Show `image` next, instead of one that has not been shown yet."""
        if self._thread.is_alive():
            self._newest = image

    def close(self) -> None:
        """Close the window, unless its user has done so."""
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            self._root = self._tkinter.Tk(className="holoflow")
        except self._tkinter.TclError as error:
            self._failure = str(error)
            self._opened.set()
            return
        self._root.title(self._title)
        self._root.protocol("WM_DELETE_WINDOW", self._root.quit)
        self._label = self._tkinter.Label(self._root, background="black", borderwidth=0)
        self._label.pack(expand=True, fill="both")
        self._look()
        self._opened.set()
        self._root.mainloop()
        if not self._closing.is_set():
            self._log.info("%s: the window is closed; the run continues", self._title)
        with contextlib.suppress(self._tkinter.TclError):  # the window manager has closed it
            self._root.destroy()
        # The last references are dropped here: Tk aborts the process if that happens in another
        # thread.
        del self._label, self._root
        self._newest = self._shown = None

    def _look(self) -> None:
        """Show a new image, if there is one, and schedule the next check."""
        if self._closing.is_set():
            self._root.quit()
            return
        self._root.after(POLL, self._look)
        image = self._newest
        if image is None:
            return
        if self._shown is None:
            self._fit(image)
        wanted = (image, self._label.winfo_width(), self._label.winfo_height())
        if wanted == self._shown:
            return
        self._shown = wanted
        picture = self._tkinter.PhotoImage(
            master=self._root, data=_ppm(self._cv2, *wanted, self._scale), format="ppm"
        )
        self._label.configure(image=picture)
        self._label.picture = picture  # Tk shows it only while there is a reference

    def _fit(self, image: Image) -> None:
        """Give the window the size of `image`, or the largest that fits on the screen."""
        scale = min(
            1.0,
            0.9 * self._root.winfo_screenwidth() / image.width,
            0.9 * self._root.winfo_screenheight() / image.height,
        )
        self._root.geometry(f"{round(image.width * scale)}x{round(image.height * scale)}")
        self._root.update_idletasks()


def _ppm(cv2: Any, image: Image, width: int, height: int, scale: Scale) -> bytes:
    """Return the picture, scaled to fit the given size, as a PPM file."""
    zoom = min(width / image.width, height / image.height)
    size = (max(1, round(image.width * zoom)), max(1, round(image.height * zoom)))
    data = pixels(image, scale)
    if size != (image.width, image.height):
        way = cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR
        data = cv2.resize(data, size, interpolation=way)
    if image.colour != "rgb":
        data = cv2.cvtColor(data, getattr(cv2, f"COLOR_{image.colour.upper()}2RGB"))
    return b"P6 %d %d 255 " % size + data.tobytes()


def _tkinter(name: str) -> Any:
    try:
        import tkinter
    except ImportError:
        raise HoloflowError(
            f"{name}: this Python has no tkinter to open windows with (on Debian and Ubuntu: "
            "apt-get install python3-tk)",
            "or use visualize.web, which shows the stream in a browser",
        ) from None
    return tkinter
