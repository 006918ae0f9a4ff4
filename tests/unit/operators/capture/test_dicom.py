import re
import struct
from contextlib import suppress
from itertools import islice
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import examples
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import ExplicitVRLittleEndian, UltrasoundMultiFrameImageStorage
from support.damage import damaged

from holoflow import HoloflowError, ParameterError
from holoflow.operators.capture import _dicom
from holoflow.operators.capture.dicom import DicomOp

CINE = str(examples.get_path("ybr_color"))


def read(path, running, limit=1000, **parameters):
    operator = DicomOp(path=str(path), **parameters)
    with running(operator):
        return list(islice(operator.frames(), limit))


@pytest.fixture
def save(tmp_path):
    """Write frames (N, height, width[, 3]) with further elements to a DICOM file."""

    def to_file(frames, **elements):
        meta = FileMetaDataset()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        meta.MediaStorageSOPClassUID = UltrasoundMultiFrameImageStorage
        meta.MediaStorageSOPInstanceUID = "1.2.3"
        path = tmp_path / "made.dcm"
        data = FileDataset(str(path), {}, file_meta=meta, preamble=bytes(128))
        data.PatientName, data.Modality = "Secret^Name", "US"
        data.NumberOfFrames, data.Rows, data.Columns = frames.shape[:3]
        data.SamplesPerPixel = 3 if frames.ndim == 4 else 1
        data.PlanarConfiguration = 0
        data.PhotometricInterpretation = "RGB" if frames.ndim == 4 else "MONOCHROME2"
        data.BitsAllocated = data.BitsStored = 8 * frames.itemsize
        data.HighBit = data.BitsStored - 1
        data.PixelRepresentation = int(frames.dtype.kind == "i")
        data.PixelData = frames.tobytes()
        for keyword, value in elements.items():
            setattr(data, keyword, value)
        if data.SamplesPerPixel == 1:
            del data.PlanarConfiguration
        data.save_as(path, enforce_file_format=True)
        return path

    return to_file


def item(**elements):
    made = Dataset()
    for keyword, value in elements.items():
        setattr(made, keyword, value)
    return made


def region(box, delta=(0.05, 0.04), units=3, form=1):
    return item(
        RegionSpatialFormat=form, RegionDataType=1, RegionFlags=0,
        RegionLocationMinX0=box[0], RegionLocationMinY0=box[1],
        RegionLocationMaxX1=box[2], RegionLocationMaxY1=box[3],
        PhysicalUnitsXDirection=units, PhysicalUnitsYDirection=units,
        PhysicalDeltaY=delta[0], PhysicalDeltaX=delta[1],
    )  # fmt: skip


GRAY = np.arange(2 * 4 * 5, dtype=np.uint8).reshape(2, 4, 5)


def test_a_real_ultrasound_cine(running, caplog):
    frames = read(CINE, running)
    assert len(frames) == 30
    assert [frame.elapsed for frame in frames[:3]] == [0, 33_333_000, 66_666_000]
    image = frames[0].payload
    assert (image.colour, image.data.shape, image.data.dtype) == ("rgb", (240, 320, 3), np.uint8)
    assert [frame.metadata["frame"] for frame in frames] == list(range(30))
    # It is nearly gray; were it still YBR, its halves of chroma would make it green and blue.
    channels = image.data.reshape(-1, 3).mean(axis=0)
    assert channels.max() - channels.min() < 2
    moved = np.abs(frames[9].payload.data.astype(int) - image.data).mean()
    assert moved > 0.5
    # Its calibration is for 640 x 480 pixels.
    assert frames[0].payload.spacing_mm is None
    assert "larger than its 320 x 240 pixels" in caplog.text


def test_a_spacing_that_the_app_knows_is_taken(running, caplog):
    (frame,) = read(CINE, running, 1, spacing=(1.02, 1.03))
    assert frame.metadata == {"frame": 0, "modality": "US"}
    assert frame.payload.spacing_mm == (1.02, 1.03)
    assert caplog.text == ""


def test_a_looped_cine_goes_on_in_time(running):
    frames = read(CINE, running, 61, loop=True)
    assert frames[30].elapsed == 30 * 33_333_000
    assert frames[60].elapsed == 60 * 33_333_000
    np.testing.assert_array_equal(frames[60].payload.data, frames[0].payload.data)
    assert frames[60].metadata["frame"] == 0


def test_a_rate_replaces_the_times(running):
    frames = read(CINE, running, 32, rate="10hz", loop=True, paced=False)
    assert [frame.elapsed for frame in frames] == [i * 10**8 for i in range(32)]
    assert not any(frame.wait for frame in frames)


@pytest.mark.parametrize(
    ("elements", "starts"),
    [
        ({"FrameTime": "40"}, [0, 40, 80, 120]),
        ({"FrameTimeVector": ["0", "10", "30"]}, [0, 10, 40, 70]),
        ({"FrameTimeVector": ["0", "10", "30"], "FrameTime": "40"}, [0, 10, 40, 70]),
        ({"FrameTimeVector": ["0", "10"], "FrameTime": "40"}, [0, 40, 80, 120]),
        ({"FrameTime": "0", "CineRate": "20"}, [0, 50, 100, 150]),
        ({"RecommendedDisplayFrameRate": "10"}, [0, 100, 200, 300]),
        ({}, None),
    ],
)
def test_times_of_frames(elements, starts):
    found = _dicom.frame_starts(item(NumberOfFrames=3, **elements))
    assert found == (starts and [start * 10**6 for start in starts])


def test_no_time_of_a_frame_is_an_error(save, running):
    with pytest.raises(HoloflowError, match="give a `rate`"):
        read(save(GRAY), running)
    with pytest.raises(HoloflowError, match="give a `rate`"):
        read(save(GRAY[:1]), running, loop=True)
    assert [frame.elapsed for frame in read(save(GRAY[:1]), running)] == [0]


def test_nothing_of_the_patient_leaves(save, running):
    frame = read(save(GRAY, FrameTime="40"), running)[0]
    assert frame.metadata == {"frame": 0, "modality": "US"}


def test_eight_bits_come_as_they_are(save, running):
    frames = read(save(GRAY, FrameTime="40"), running)
    np.testing.assert_array_equal([frame.payload.data for frame in frames], GRAY)
    assert frames[0].payload.colour == "gray"


def test_monochrome1_is_turned_round(save, running):
    path = save(GRAY, FrameTime="40", PhotometricInterpretation="MONOCHROME1")
    np.testing.assert_array_equal(read(path, running)[1].payload.data, 255 - GRAY[1])


def test_many_bits_without_a_window_are_shown_over_the_range_of_frame_0(save, running):
    frames = np.array([[[-100, 0, 100]], [[-300, 0, 50]]], np.int16)
    first, second = read(save(frames, FrameTime="40"), running)
    assert first.payload.data.tolist() == [[0, 128, 255]]
    assert second.payload.data.tolist() == [[0, 128, 191]]


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ("LINEAR", [0, 0, 128, 255, 255]),
        ("LINEAR_EXACT", [0, 0, 128, 255, 255]),
        ("SIGMOID", [0, 30, 128, 225, 255]),
    ],
)
def test_a_window_is_applied_after_the_rescale(save, running, function, expected):
    stored = np.array([[[0, 450, 500, 550, 4000]]], np.uint16)
    path = save(
        stored, RescaleSlope="2", RescaleIntercept="-1000", WindowCenter=["0", "7"],
        WindowWidth=["200", "7"], VOILUTFunction=function,
    )  # fmt: skip
    shown = read(path, running)[0].payload.data[0]
    assert shown == pytest.approx(np.array(expected), abs=1)


def test_windowing_is_that_of_pydicom(running):
    path = get_testdata_file("MR_small.dcm")
    data = pydicom.dcmread(path)
    expected = pydicom.pixels.apply_windowing(data.pixel_array, data)
    expected = 255 * (expected + 2**15) / (2**16 - 1)
    shown = read(path, running)[0].payload.data
    assert np.abs(shown - expected).max() <= 0.51


def test_values_in_their_unit(running):
    path = get_testdata_file("CT_small.dcm")
    data = pydicom.dcmread(path)
    image = read(path, running, values="modality")[0].payload
    np.testing.assert_array_equal(image.data, data.pixel_array.astype(int) - 1024)
    assert image.data.dtype == np.float32


def test_a_table_of_values_is_applied(save, running):
    table = item(LUTDescriptor=[4, 1, 8], LUTData=struct.pack("<4H", 10, 20, 30, 200))
    path = save(GRAY[:1], VOILUTSequence=[table])
    shown = read(path, running)[0].payload.data.reshape(-1)
    assert shown[:7].tolist() == [10, 10, 20, 30, 200, 200, 200]


def test_functional_groups_of_a_frame_are_heard(save, running):
    def value(slope):
        return [item(RescaleSlope=slope, RescaleIntercept="0", RescaleType="US")]

    path = save(
        GRAY, FrameTime="40",
        SharedFunctionalGroupsSequence=[
            item(PixelMeasuresSequence=[item(PixelSpacing=["0.3", "0.2"])])
        ],
        PerFrameFunctionalGroupsSequence=[
            item(PixelValueTransformationSequence=value(slope)) for slope in ("2", "10")
        ],
    )  # fmt: skip
    frames = read(path, running, values="modality")
    np.testing.assert_array_equal(frames[0].payload.data, GRAY[0] * 2.0)
    np.testing.assert_array_equal(frames[1].payload.data, GRAY[1] * 10.0)
    assert frames[0].payload.spacing_mm == (0.3, 0.2)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_rgb_comes_in_eight_bits(save, running, dtype):
    full = np.iinfo(dtype).max
    colours = (np.random.default_rng(0).random((2, 4, 5, 3)) * full).astype(dtype)
    frames = read(save(colours, FrameTime="40"), running)
    expected = colours // (256 if dtype == np.uint16 else 1)
    np.testing.assert_array_equal([frame.payload.data for frame in frames], expected)
    assert frames[0].payload.colour == "rgb"


@pytest.mark.parametrize(
    "name", ["SC_ybr_full_422_uncompressed.dcm", "SC_rgb_rle.dcm", "SC_rgb_rle_16bit.dcm"]
)
def test_other_ways_to_store_colour(running, name):
    image = read(get_testdata_file(name), running)[0].payload
    # Ten stripes, the first of which are red, green and blue.
    stripes = image.data[5, 50], image.data[25, 50], image.data[45, 50]
    assert [int(stripe.argmax()) for stripe in stripes] == [0, 1, 2]
    assert all(stripe.max() > 250 for stripe in stripes)


def test_palettes(running):
    image = read(examples.get_path("palette_color"), running)[0].payload
    assert image.data.shape == (350, 800, 3)
    assert image.data.max() == 255


def in_palette(save, stored, descriptor, red, **elements):
    """Write values in colours of which red has the `red` bytes, and green and blue none."""
    names = ("Red", "Green", "Blue")
    tables = {f"{name}PaletteColorLookupTableDescriptor": descriptor for name in names}
    tables |= {f"{name}PaletteColorLookupTableData": bytes(len(red)) for name in names}
    return save(
        stored, PhotometricInterpretation="PALETTE COLOR",
        **{**tables, "RedPaletteColorLookupTableData": red, **elements},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("bits", "red"),
    [
        (8, bytes([0, 85, 170, 255])),
        (8, struct.pack("<4H", 0, 85, 170, 255)),
        (16, struct.pack("<4H", 0, 85, 170, 255)),
        (16, struct.pack("<4H", 0, 85 << 8, 170 << 8, 255 << 8)),
        (8, struct.pack("<4H", 0, 85 * 257, 170 * 257, 255 * 257)),
    ],
)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_depth_of_a_palette_is_that_of_its_values(save, running, bits, red, dtype):
    stored = np.array([[[9, 10, 11, 12, 13, 255]]], dtype)
    image = read(in_palette(save, stored, [4, 10, bits], red), running)[0].payload
    assert image.data[0].tolist() == [[red, 0, 0] for red in (0, 0, 85, 170, 255, 255)]


def test_values_beyond_a_palette_have_its_last_colour(save, running):
    stored = np.array([[[0, 255, 256, 300, 65535]]], np.uint16)
    path = in_palette(save, stored, [256, 0, 8], bytes(range(256)))
    image = read(path, running)[0].payload
    assert image.data[0, :, 0].tolist() == [0, 255, 255, 255, 255]


def test_a_palette_cut_short_is_an_error(save, running):
    with pytest.raises(HoloflowError, match="a table has 2 of 4 values"):
        read(in_palette(save, GRAY, [4, 0, 8], bytes(2), FrameTime="40"), running)


@pytest.mark.parametrize(("bits", "highest"), [(12, 4095), (16, 4095), (8, 4095), (16, 65535)])
def test_the_depth_of_a_table_of_values_is_that_of_its_values(save, running, bits, highest):
    table = item(LUTDescriptor=[2, 0, bits], LUTData=struct.pack("<2H", 0, highest))
    stored = np.array([[[0, 1]]], np.uint8)
    assert read(save(stored, VOILUTSequence=[table]), running)[0].payload.data.tolist() == [
        [0, 255]
    ]


def test_a_frames_own_slope_does_not_meet_a_table_of_the_file(save, running):
    table = item(LUTDescriptor=[256, 0, 8], LUTData=bytes(256), ModalityLUTType="OD")
    path = save(
        GRAY, FrameTime="40", ModalityLUTSequence=[table], RescaleIntercept="7",
        PerFrameFunctionalGroupsSequence=[
            item(PixelValueTransformationSequence=[
                item(RescaleSlope=slope, RescaleIntercept="0", RescaleType="HU")
            ])
            for slope in ("2", "10")
        ],
    )  # fmt: skip
    first, second = read(path, running, values="modality")
    np.testing.assert_array_equal(first.payload.data, GRAY[0] * 2.0)
    np.testing.assert_array_equal(second.payload.data, GRAY[1] * 10.0)
    assert first.metadata["unit"] == "HU"


@pytest.mark.parametrize(
    ("elements", "unit"),
    [
        ({"RescaleSlope": "2", "RescaleIntercept": "0", "RescaleType": "OD"}, "OD"),
        ({"RescaleSlope": "2", "RescaleIntercept": "0", "RescaleType": "US"}, None),
        ({"RescaleSlope": "2", "RescaleIntercept": "0", "Units": "BQML"}, "BQML"),
        ({}, None),
    ],
)
def test_the_unit_of_values(save, running, elements, unit):
    (frame,) = read(save(GRAY[:1], **elements), running, values="modality")
    assert frame.metadata.get("unit") == unit


def test_values_whose_unit_is_not_applied_are_an_error(save, running):
    mapping = item(RealWorldValueSlope=2.0, RealWorldValueIntercept=0.0)
    path = save(GRAY[:1], RealWorldValueMappingSequence=[mapping])
    with pytest.raises(HoloflowError, match="mapping to real-world values, which is not applied"):
        read(path, running, values="modality")
    assert len(read(path, running)) == 1


@pytest.mark.parametrize(
    ("elements", "spacing"),
    [
        ({"PixelSpacing": ["0.5", "0.25"], "ImagerPixelSpacing": ["1", "1"]}, (0.5, 0.25)),
        ({"ImagerPixelSpacing": ["0.5", "0.25"]}, (0.5, 0.25)),
        (
            {
                "ImagerPixelSpacing": ["0.5", "0.25"],
                "EstimatedRadiographicMagnificationFactor": "1.25",
            },
            (0.4, 0.2),
        ),
        ({"NominalScannedPixelSpacing": ["0.5", "0.25"]}, (0.5, 0.25)),
    ],
)
def test_a_spacing_by_any_name_is_used(save, running, elements, spacing):
    (frame,) = read(save(GRAY[:1], **elements), running)
    assert frame.payload.spacing_mm == pytest.approx(spacing)


@pytest.mark.parametrize(
    ("elements", "warning"),
    [
        ({"PixelAspectRatio": ["2", "1"]}, "not square, but 2 to 1 (height to width)"),
        ({"PixelAspectRatio": ["1", "1"]}, None),
        ({"PixelAspectRatio": ["2", "1"], "PixelSpacing": ["0.5", "0.25"]}, None),
        ({"ImagerPixelSpacing": ["0.5", "0.5"]}, "that at the detector"),
        (
            {
                "ImagerPixelSpacing": ["0.5", "0.5"],
                "EstimatedRadiographicMagnificationFactor": "1.25",
            },
            None,
        ),
        ({"SequenceOfUltrasoundRegions": [region((0, 0, 4, 3), units=4)]}, "calibrated in cm"),
        ({"SequenceOfUltrasoundRegions": [region((0, 0, 4, 3))]}, None),
    ],
)
def test_a_spacing_that_is_not_that_of_the_patient_is_told_once(
    save, running, caplog, elements, warning
):
    path = save(GRAY, FrameTime="40", **elements)
    assert len(read(path, running)) == 2
    messages = [record.getMessage() for record in caplog.records]
    if warning is None:
        assert messages == []
    else:
        (message,) = messages
        assert warning in message
        assert str(path) in message
    caplog.clear()
    read(path, running, spacing=(1, 1))
    assert caplog.text == ""


@pytest.mark.parametrize("wrong", [["0", "1"], ["-1", "1"], ["1"]])
def test_a_spacing_that_is_none_is_an_error(save, running, wrong):
    with pytest.raises(HoloflowError, match="header is wrong"):
        read(save(GRAY[:1], PixelSpacing=wrong), running)


@pytest.mark.parametrize(
    "elements", [{"FrameTime": "-40"}, {"FrameTimeVector": ["0", "-1"]}, {"NumberOfFrames": 10**8}]
)
def test_times_and_numbers_of_frames_that_are_none_are_errors(save, running, elements):
    with pytest.raises(HoloflowError, match=r"header is wrong.*made\.dcm"):
        read(save(GRAY, **{"FrameTime": "40", **elements}), running)


def in_test_data():
    folder = Path(pydicom.data.__file__).parent
    return sorted(file for file in folder.rglob("*") if file.is_file() and file.suffix[:3] != ".py")


def expected(data):
    """Return the frames of a data set in colour or in the unit of their modality, by pydicom."""
    stored = pydicom.pixels.pixel_array(data)
    frames = stored if int(data.get("NumberOfFrames") or 1) > 1 else stored[None]
    kind = data.PhotometricInterpretation
    if kind.startswith("MONOCHROME"):
        return [pydicom.pixels.apply_modality_lut(frame, data) for frame in frames]
    if kind == "PALETTE COLOR":
        frames = [pydicom.pixels.apply_color_lut(frame, data) for frame in frames]
        return [frame >> (8 if frame.max() > 255 else 0) for frame in frames]
    return [frame >> max(data.BitsStored - 8, 0) for frame in frames]


@pytest.mark.filterwarnings("ignore")
def test_every_file_of_pydicoms_test_data_is_as_pydicom_reads_it_or_an_error(running, caplog):
    """And what is an error has no picture, or none that pydicom decodes with what is here."""
    equal, wrong = 0, []
    for path in in_test_data():
        try:
            frames = read(path, running, values="modality", rate="10hz")
        except HoloflowError as error:
            wrong.append((path, str(error)))
            continue
        right = expected(pydicom.dcmread(path))
        assert len(frames) == len(right), path
        for frame, pixels in zip(frames, right, strict=True):
            np.testing.assert_allclose(frame.payload.data, pixels, rtol=1e-6, err_msg=str(path))
        equal += 1
    assert equal > 50
    for path, message in wrong:
        assert str(path) in message
        with pytest.raises(Exception):  # noqa: B017, PT011
            pydicom.pixels.pixel_array(pydicom.dcmread(path))
    assert "Traceback" not in caplog.text


def test_pixel_spacing(save, running):
    path = save(GRAY, FrameTime="40", PixelSpacing=["0.5", "0.25"])
    assert read(path, running)[0].payload.spacing_mm == (0.5, 0.25)


def test_the_largest_ultrasound_region_is_taken(save, running, caplog):
    regions = [region((0, 0, 1, 1)), region((1, 0, 4, 2), (-0.05, 0.04)), region((0, 0, 1, 2))]
    frame = read(save(GRAY, FrameTime="40", SequenceOfUltrasoundRegions=regions), running)[0]
    geometry = frame.payload.geometry
    assert geometry.spacing_at(1, 0, 5, 3) == pytest.approx((0.5, 0.4))
    assert geometry.spacing_at(0, 0, 5, 3) is None
    assert caplog.text == ""


@pytest.mark.parametrize("wrong", [{"units": 4}, {"form": 3}, {"delta": (0, 0.1)}])
def test_regions_of_other_things_say_nothing(save, running, wrong):
    regions = [region((0, 0, 4, 3), **wrong)]
    frame = read(save(GRAY, FrameTime="40", SequenceOfUltrasoundRegions=regions), running)[0]
    assert frame.payload.spacing_mm is None


def test_a_file_cut_short_is_an_error(save, running, tmp_path):
    path = save(GRAY, FrameTime="40")
    path.write_bytes(path.read_bytes()[:-25])
    with pytest.raises(HoloflowError, match=r"frame \d is unreadable: .*made\.dcm"):
        read(path, running)


def test_after_a_frame_that_cannot_be_decoded_the_next_ones_come(tmp_path, running):
    data = pydicom.dcmread(get_testdata_file("examples_ybr_color.dcm"))
    frames = list(generate_frames(data.PixelData, number_of_frames=30))[:4]
    frames[1] = b"no JPEG "
    data.PixelData, data.NumberOfFrames = encapsulate(frames), 4
    data.save_as(tmp_path / "cine.dcm")
    operator = DicomOp(path=str(tmp_path / "cine.dcm"))
    with running(operator):
        played = operator.frames()
        assert next(played).metadata["frame"] == 0
        with pytest.raises(HoloflowError, match="frame 1 is unreadable"):
            next(played)
        rest = list(played)
    assert [frame.metadata["frame"] for frame in rest] == [2, 3]
    assert [frame.elapsed for frame in rest] == [2 * 33_333_000, 3 * 33_333_000]


def test_what_no_library_decodes_is_an_error_without_a_traceback(running, caplog):
    path = get_testdata_file("JPEG-lossy.dcm")
    with pytest.raises(HoloflowError, match=r"frame 0 is unreadable.*12-bit.*JPEG-lossy"):
        read(path, running)
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize(
    ("name", "message"),
    [("rtplan.dcm", "no image"), ("no_meta.dcm", "not a DICOM file"), (__file__, "not a DICOM")],
)
def test_what_is_no_picture_is_an_error_that_names_it(name, message):
    path = get_testdata_file(name) if name.endswith(".dcm") else name
    with pytest.raises(HoloflowError, match=f"{message}.*{re.escape(path)}"):
        DicomOp(path=path).start()


def test_unknown_pixels_are_an_error(save, running):
    path = save(GRAY, PhotometricInterpretation="CMYK")
    with pytest.raises(HoloflowError, match="CMYK are not read, only"):
        read(path, running)


def test_a_wrong_header_is_an_error(running):
    path = get_testdata_file("badVR.dcm")
    with (
        pytest.warns(UserWarning, match="Invalid value"),
        pytest.raises(HoloflowError, match=r"header is wrong.*badVR\.dcm"),
    ):
        read(path, running)


def test_a_spacing_must_be_above_zero():
    with pytest.raises(ParameterError, match="spacing"):
        DicomOp(path=CINE, spacing=(0, 1))


@given(data=st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@pytest.mark.filterwarnings("ignore")
def test_damaged_files_give_frames_or_an_error(data, running, tmp_path_factory):
    whole = Path(
        get_testdata_file(data.draw(st.sampled_from(["MR_small_RLE.dcm", "CT_small.dcm"])))
    )
    path = tmp_path_factory.mktemp("damaged") / "file.dcm"
    path.write_bytes(damaged(data, whole.read_bytes()))
    with suppress(HoloflowError):
        read(path, running, rate="10hz", limit=3)
