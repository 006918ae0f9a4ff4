"""`visualize.window` on a virtual screen, whose pixels are read back."""

from __future__ import annotations

import builtins
import ctypes
import ctypes.util
import gc
import logging
import os
import shutil
import struct
import subprocess
import threading
import time

import numpy as np
import pytest

from holoflow import HoloflowError, Image
from holoflow.operators.visualize.window import WindowOp

PATIENCE = 300.0


class Screen:
    """A virtual display; Xvfb keeps its pixels in a file in the format of xwd."""

    def __init__(self, name, file):
        self.name = name
        self._file = file

    def pixels(self):
        """(height, width, 3) rgb."""
        data = self._file.read_bytes()
        header = struct.unpack_from(">25I", data)
        width, height, line, colours = header[4], header[5], header[12], header[19]
        rows = np.frombuffer(data, np.uint8, line * height, header[0] + 12 * colours)
        return rows.reshape(height, line // 4, 4)[:, :width, 2::-1]

    def wait(self, condition):
        """Wait until the screen's pixels meet `condition`; returns them."""
        deadline = time.monotonic() + PATIENCE
        while not condition(pixels := self.pixels()):
            assert time.monotonic() < deadline, "the screen never showed it"
            time.sleep(0.02)
        return pixels


@pytest.fixture(scope="module")
def display(tmp_path_factory):
    assert shutil.which("Xvfb"), "these tests need a virtual display: apt-get install xvfb"
    folder = tmp_path_factory.mktemp("screen")
    read, write = os.pipe()
    process = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-fbdir", str(folder), "-nolisten", "tcp",
         "-screen", "0", "640x480x24"],
        pass_fds=[write], stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(write)
    with os.fdopen(read) as answer:
        number = answer.readline().strip()
    yield Screen(f":{number}", folder / "Xvfb_screen0")
    process.terminate()
    process.wait(PATIENCE)


@pytest.fixture
def screen(display, monkeypatch):
    monkeypatch.setenv("DISPLAY", display.name)
    return display


@pytest.fixture
def window(screen):
    op = WindowOp(title="A window")
    op.context.log = logging.getLogger("holoflow.test")
    op.start()
    yield op
    op.stop()
    gc.collect()
    assert not [t for t in threading.enumerate() if t.name.startswith("window")]


def of(colour, *value, size=(100, 200)):
    data = np.empty((*size, len(value)) if len(value) > 1 else size, np.uint8)
    data[:] = value
    return Image(data, colour)


def shows(*rgb, at=(50, 100)):
    return lambda pixels: tuple(pixels[at]) == rgb


@pytest.mark.parametrize(
    ("image", "rgb"),
    [
        (of("rgb", 255, 128, 0), (255, 128, 0)),
        (of("bgr", 0, 128, 255), (255, 128, 0)),
        (of("rgba", 255, 128, 0, 9), (255, 128, 0)),
        (of("bgra", 0, 128, 255, 9), (255, 128, 0)),
        (of("gray", 77), (77, 77, 77)),
        (Image(np.full((100, 200), 0.2), "gray"), (51, 51, 51)),
    ],
)
def test_it_shows_the_picture_in_its_colours_and_its_size(screen, window, image, rgb):
    window.process(image)
    pixels = screen.wait(shows(*rgb))
    rows, columns = np.nonzero((pixels == rgb).all(axis=2))
    assert (rows.max() - rows.min() + 1, columns.max() - columns.min() + 1) == (100, 200)


def test_the_newest_frame_is_shown_and_inputs_stay_as_they_are(screen, window):
    for level in range(1, 30):
        image = of("gray", 8 * level)
        image.data.flags.writeable = False
        window.process(image)
    screen.wait(shows(232, 232, 232))


def test_a_picture_larger_than_the_screen_is_scaled_down(screen, window):
    image = of("gray", 9, size=(2000, 4000))
    image.data[:, 2000:] = 201
    window.process(image)
    pixels = screen.wait(shows(9, 9, 9, at=(100, 100)))
    columns = np.flatnonzero((pixels[100] == 201).all(axis=1))
    assert (columns.min(), columns.max()) == (288, 575)  # 0.9 of 640, from its half


def test_frames_of_another_size_fit_the_window(screen, window):
    window.process(of("gray", 50))
    screen.wait(shows(50, 50, 50))
    window.process(of("gray", 60, size=(200, 200)))
    pixels = screen.wait(shows(60, 60, 60))
    assert (pixels[50, 10] == 0).all()  # a black bar on either side


def test_what_cannot_be_shown_fails_where_it_is_given(window):
    with pytest.raises(ValueError, match="in hsv; convert it"):
        window.process(of("hsv", 1, 2, 3))


def test_closing_the_window_does_not_end_the_run(screen, window, caplog):
    window.process(of("gray", 50))
    screen.wait(shows(50, 50, 50))
    with caplog.at_level(logging.INFO):
        press_close(screen.name, b"A window")
        screen.wait(shows(0, 0, 0))
        window.process(of("gray", 60))
    assert any("the run continues" in record.getMessage() for record in caplog.records)


def test_it_opens_again_and_again(screen):
    for level in (10, 20, 30):
        op = WindowOp()
        op.start()
        op.process(of("gray", level))
        screen.wait(shows(level, level, level))
        op.stop()


def test_without_a_display_it_says_what_to_use(monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    with pytest.raises(HoloflowError, match=r"cannot open a window: .*use visualize\.web"):
        WindowOp().start()


def test_without_tkinter_it_says_what_to_install(monkeypatch):
    real = builtins.__import__

    def without(name, *args, **options):
        if name == "tkinter":
            raise ImportError(name)
        return real(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(HoloflowError, match="python3-tk"):
        WindowOp().start()


class _ClientMessage(ctypes.Structure):
    """XClientMessageEvent of Xlib."""

    _fields_ = (
        ("type", ctypes.c_int), ("serial", ctypes.c_ulong), ("send_event", ctypes.c_int),
        ("display", ctypes.c_void_p), ("window", ctypes.c_ulong),
        ("message_type", ctypes.c_ulong), ("format", ctypes.c_int), ("data", ctypes.c_long * 5),
        ("rest", ctypes.c_long * 12),
    )  # fmt: skip


def press_close(display_name, title):
    """Do what a window manager does when the user closes a window: ask it to go."""
    x11 = ctypes.CDLL(ctypes.util.find_library("X11"))
    x11.XOpenDisplay.restype = ctypes.c_void_p
    x11.XInternAtom.restype = ctypes.c_ulong
    x11.XDefaultRootWindow.restype = ctypes.c_ulong
    display = ctypes.c_void_p(x11.XOpenDisplay(display_name.encode()))
    root = ctypes.c_ulong(x11.XDefaultRootWindow(display))
    one, two, count = ctypes.c_ulong(), ctypes.c_ulong(), ctypes.c_uint()
    children = ctypes.POINTER(ctypes.c_ulong)()
    x11.XQueryTree(display, root, *map(ctypes.byref, (one, two, children, count)))
    for index in range(count.value):
        name = ctypes.c_char_p()
        window = ctypes.c_ulong(children[index])
        x11.XFetchName(display, window, ctypes.byref(name))
        if name.value == title:
            atoms = [x11.XInternAtom(display, a, 0) for a in (b"WM_PROTOCOLS", b"WM_DELETE_WINDOW")]
            event = _ClientMessage(33, 0, 1, display, window, atoms[0], 32, (atoms[1], 0, 0, 0, 0))
            x11.XSendEvent(display, window, 0, 0, ctypes.byref(event))
    x11.XCloseDisplay(display)
