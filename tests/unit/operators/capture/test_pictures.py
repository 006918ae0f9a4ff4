"""Image files are as Pillow reads them, or an error."""

import struct
import zlib
from contextlib import suppress
from itertools import islice

import cv2
import numpy as np
import PIL.Image
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import ImageOps, ImageSequence
from support.damage import damaged

from holoflow import HoloflowError
from holoflow.operators.capture.images import ImagesOp

HEIGHT, WIDTH = 24, 40


def smooth(seed=0):
    noise = np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 3)


def read(path, **parameters):
    return list(islice(ImagesOp(path=str(path), **parameters).frames(), 50))


def in_mode(mode, seed=0):
    rgb = PIL.Image.fromarray(smooth(seed))
    if mode == "P":
        return rgb.quantize(32)
    if mode in ("RGBA", "LA"):
        picture = rgb.convert("RGBA")
        picture.putalpha(PIL.Image.fromarray(smooth(9)[..., 0]))
        return picture.convert(mode)
    return rgb.convert(mode)


@pytest.mark.parametrize(
    ("suffix", "modes"),
    [
        (".png", ["1", "L", "LA", "P", "RGB", "RGBA"]),
        (".tif", ["1", "L", "P", "RGB", "RGBA", "CMYK"]),
        (".bmp", ["1", "L", "P", "RGB"]),
        (".webp", ["RGB", "RGBA"]),
        (".jpg", ["L", "RGB", "CMYK"]),
        (".ppm", ["L", "RGB"]),
        (".jp2", ["L", "RGB"]),
        (".gif", ["L", "P"]),
    ],
)
def test_every_kind_of_pixels_is_as_pillow_reads_it(tmp_path, suffix, modes):
    for mode in modes:
        path = tmp_path / f"{mode}{suffix}"
        in_mode(mode).save(path, **({"lossless": True} if suffix == ".webp" else {}))
        (frame,) = read(path)
        with PIL.Image.open(path) as picture:
            *colours, alpha = np.moveaxis(np.asarray(picture.convert("RGBA"), int), -1, 0)
        expected = np.stack(colours, axis=-1)
        over_black = suffix == ".tif" and mode == "RGBA"
        if over_black:
            expected = expected * alpha[..., None] / 255
        visible = np.abs(frame.payload.data - expected)
        # Decoders of JPEG and conversions from CMYK and with alpha differ by rounding.
        rounded = suffix == ".jpg" or mode == "CMYK" or over_black
        assert visible.max() <= (3 if rounded else 0), mode


@pytest.mark.parametrize("suffix", [".png", ".gif"])
def test_palettes_with_transparency_are_shown_with_their_colours(tmp_path, suffix):
    path = tmp_path / f"clear{suffix}"
    in_mode("P").save(path, transparency=3)
    (frame,) = read(path)
    with PIL.Image.open(path) as picture:
        seen = np.asarray(picture.convert("RGBA"), int)
    opaque = seen[..., 3] > 0
    assert 0 < opaque.sum() < opaque.size
    np.testing.assert_array_equal(frame.payload.data[opaque], seen[opaque][:, :3])


@pytest.mark.parametrize("shape", [(6, 8), (6, 8, 3)])
def test_png_of_sixteen_bits_is_as_stored(tmp_path, shape):
    values = np.random.default_rng(0).integers(0, 65536, shape, np.uint16)
    (tmp_path / "a.png").write_bytes(png(values))
    colour = "rgb" if len(shape) == 3 else "gray"
    (frame,) = read(tmp_path, colour=colour)
    np.testing.assert_array_equal(frame.payload.data, values)


def png(values):
    """Return a PNG file of uint16 values, which it stores with the high byte first."""

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    height, width, *rest = values.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    head = struct.pack(">IIBBBBB", width, height, 16, 2 if rest else 0, 0, 0, 0)
    parts = [(b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
@pytest.mark.parametrize("colour", ["rgb", "gray"])
def test_pictures_come_upright(tmp_path, orientation, suffix, colour):
    path = tmp_path / f"turned{suffix}"
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    how = {".tif": {"tiffinfo": {0x0112: orientation}}, ".webp": {"exif": exif, "lossless": True}}
    PIL.Image.fromarray(smooth()).save(path, **how.get(suffix, {"exif": exif}))
    (frame,) = read(path, colour=colour)
    with PIL.Image.open(path) as picture:
        upright = ImageOps.exif_transpose(picture)
        expected = np.asarray(upright.convert("L" if colour == "gray" else "RGB"), int)
    assert frame.payload.data.shape == expected.shape
    assert np.abs(frame.payload.data - expected).max() <= 3


@pytest.mark.parametrize("suffix", [".gif", ".tif", ".png", ".webp"])
def test_all_pictures_of_a_file_come_in_order(tmp_path, suffix):
    path = tmp_path / f"several{suffix}"
    first, *others = [in_mode("RGB", seed) for seed in range(4)]
    how = {"lossless": True} if suffix == ".webp" else {}
    first.save(path, save_all=True, append_images=others, **how)
    in_mode("RGB").save(tmp_path / "single.png")
    frames = read(tmp_path, rate="10hz", pattern="s*")
    with PIL.Image.open(path) as picture:
        expected = [np.asarray(one.convert("RGB")) for one in ImageSequence.Iterator(picture)]
    np.testing.assert_array_equal([frame.payload.data for frame in frames[:4]], expected)
    assert [frame.metadata for frame in frames] == [
        *({"file": path.name, "picture": number} for number in range(4)), {"file": "single.png"},
    ]  # fmt: skip
    assert [frame.elapsed for frame in frames] == [number * 10**8 for number in range(5)]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_animations_come_upright(tmp_path, orientation, suffix):
    path = tmp_path / f"several{suffix}"
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    how = {"lossless": True} if suffix == ".webp" else {}
    in_mode("RGB").save(path, save_all=True, append_images=[in_mode("RGB", 1)], exif=exif, **how)
    with PIL.Image.open(path) as picture:
        for frame, one in zip(read(path), ImageSequence.Iterator(picture), strict=True):
            expected = np.asarray(ImageOps.exif_transpose(one).convert("RGB"))
            np.testing.assert_array_equal(frame.payload.data, expected)


def test_colours_that_would_be_shown_wrong_are_refused(tmp_path):
    path = tmp_path / "lab.tif"
    in_mode("RGB").save(path, save_all=True, append_images=[PIL.Image.new("LAB", (WIDTH, HEIGHT))])
    with pytest.raises(HoloflowError, match="colours in CIELAB are not read"):
        read(path)


def test_avif_that_is_to_be_turned_is_refused(tmp_path):
    exif = PIL.Image.Exif()
    exif[0x0112] = 1
    in_mode("RGB").save(tmp_path / "upright.avif", exif=exif, quality=100)
    assert len(read(tmp_path / "upright.avif")) == 1
    for orientation in range(2, 9):
        exif[0x0112] = orientation
        path = tmp_path / f"{orientation}.avif"
        in_mode("RGB").save(path, exif=exif)
        with pytest.raises(HoloflowError, match="AVIF files that must be turned are not read"):
            read(path)


@pytest.mark.parametrize("end", ["", " ", "\n"])
@pytest.mark.parametrize(("kind", "white"), [("P2", 255), ("P3", 255), ("P2", 1000)])
def test_text_may_end_without_a_line(tmp_path, end, kind, white):
    path = tmp_path / "text.pnm"
    values = [0, 10, 20, 30, 40, white]
    size = "3 2" if kind == "P2" else "2 1"
    path.write_text(f"{kind}\n{size}\n{white}\n{' '.join(map(str, values))}{end}")
    (frame,) = read(path, colour="gray" if kind == "P2" else "rgb")
    scale = np.iinfo(frame.payload.data.dtype).max / white
    assert frame.payload.data.ravel().tolist() == [round(value * scale) for value in values]


def test_of_several_pictures_in_a_jpeg_the_first_comes_and_a_warning(tmp_path, caplog):
    in_mode("RGB").save(
        tmp_path / "a.jpg", format="MPO", save_all=True, append_images=[in_mode("RGB", 1)]
    )
    assert len(read(tmp_path)) == 1
    assert "of the pictures in a JPEG file only the first is read" in caplog.text


@pytest.mark.parametrize("white", [15, 255, 1023, 4095, 65535])
@pytest.mark.parametrize("kind", ["P2", "P5"])
def test_what_a_pgm_file_calls_white_is_white(tmp_path, white, kind):
    values = np.array([0, white // 2, white])
    data = (
        f"{' '.join(map(str, values))}\n".encode()
        if kind == "P2"
        else values.astype(">u2" if white > 255 else "u1").tobytes()
    )
    (tmp_path / "a.pgm").write_bytes(f"{kind} # made\n3 1\n{white}\n".encode() + data)
    (frame,) = read(tmp_path, colour="gray")
    full = 255 if white < 256 else 65535
    assert frame.payload.data.dtype == (np.uint8 if white < 256 else np.uint16)
    assert np.abs(frame.payload.data[0] - values * full / white).max() <= 1


@pytest.mark.parametrize("dtype", [np.float32, np.uint16])
@pytest.mark.parametrize("shape", [(6, 8), (6, 8, 3)])
@pytest.mark.parametrize("order", ["<", ">"])
def test_deep_pictures_are_as_stored(tmp_path, dtype, shape, order):
    values = (np.random.default_rng(0).random(shape) * 60_000).astype(dtype)
    samples = shape[2] if len(shape) == 3 else 1
    data = values.astype(np.dtype(dtype).newbyteorder(order)).tobytes()
    (tmp_path / "a.tif").write_bytes(tiff(data, shape, samples, np.dtype(dtype), order))
    frames = {colour: read(tmp_path, colour=colour)[0].payload.data for colour in ("rgb", "gray")}
    assert all(pixels.dtype == dtype for pixels in frames.values())
    if samples == 3:
        np.testing.assert_array_equal(frames["rgb"], values)
    else:
        np.testing.assert_array_equal(frames["gray"], values)
        np.testing.assert_array_equal(frames["rgb"], np.stack([values] * 3, axis=-1))


def tiff(data, shape, samples, dtype, order):
    """Return a TIFF file in one strip."""

    def number(value, size):
        return value.to_bytes(size, "little" if order == "<" else "big")

    bits = 8 * dtype.itemsize
    directory = 8 + len(data)
    behind = directory + 2 + 12 * 10 + 4
    depth = number(bits, 2) * samples
    fields = [
        (256, 3, 1, number(shape[1], 2)), (257, 3, 1, number(shape[0], 2)),
        (258, 3, samples, number(behind, 4) if samples > 2 else depth),
        (259, 3, 1, number(1, 2)), (262, 3, 1, number(2 if samples == 3 else 1, 2)),
        (273, 4, 1, number(8, 4)), (277, 3, 1, number(samples, 2)),
        (278, 3, 1, number(shape[0], 2)), (279, 4, 1, number(len(data), 4)),
        (339, 3, 1, number(3 if dtype.kind == "f" else 1, 2)),
    ]  # fmt: skip
    entries = b"".join(
        number(tag, 2) + number(kind, 2) + number(count, 4) + value.ljust(4, b"\0")
        for tag, kind, count, value in fields
    )
    begin = (b"II" if order == "<" else b"MM") + number(42, 2) + number(directory, 4)
    return begin + data + number(len(fields), 2) + entries + number(0, 4) + depth


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".bmp", ".webp", ".ppm", ".gif"])
@pytest.mark.parametrize("share", [0.5, 0.95])
def test_a_file_cut_short_is_an_error(tmp_path, suffix, share):
    path = tmp_path / f"cut{suffix}"
    in_mode("RGB").save(path)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(HoloflowError, match=r"not an image that can be read: .*cut"):
        read(path)


@given(data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_damaged_files_give_pictures_or_an_error(data, tmp_path_factory):
    suffix = data.draw(st.sampled_from([".png", ".jpg", ".tif", ".bmp", ".webp", ".ppm", ".gif"]))
    path = tmp_path_factory.mktemp("damaged") / f"file{suffix}"
    in_mode("RGB").save(path)
    path.write_bytes(damaged(data, path.read_bytes()))
    with suppress(HoloflowError):
        read(path)
