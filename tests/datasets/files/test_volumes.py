"""Volumes: files that other programs write are read right, or refused with a remedy."""

import shutil

import numpy as np
import pytest

from segnoise.datasets.files.volumes import (
    PLANES,
    Volume,
    VolumeReader,
    check_grids,
    is_volume,
    thickest_plane,
    write_volume,
)
from segnoise.datasets.problems import DatasetError
from segnoise.errors import ConfigError, DataError

nibabel = pytest.importorskip("nibabel")
pydicom = pytest.importorskip("pydicom")
from volume_files import nifti, series  # noqa: E402

RNG = np.random.default_rng(0)
VALUES = RNG.integers(0, 2000, (4, 6, 5), np.uint16)  # slices, rows, columns


def marked(affine, shape=(6, 7, 8)):
    """A volume whose numbers say where each voxel lies: 10000 + 100 R + 10 A + S in millimetres."""
    places = np.stack([*np.meshgrid(*map(np.arange, shape), indexing="ij"), np.ones(shape)])
    mm = np.tensordot(np.array(affine, float), places, 1)[:3]
    return (10000 + 100 * mm[0] + 10 * mm[1] + mm[2]).astype(np.float32)


AFFINES = {
    "RAS": [[1, 0, 0, -3], [0, 1, 0, 4], [0, 0, 2, 5], [0, 0, 0, 1]],
    "LAS": [[-1, 0, 0, 9], [0, 1, 0, 4], [0, 0, 2, 5], [0, 0, 0, 1]],
    "PSR": [[0, 0, 1, -3], [-1, 0, 0, 4], [0, 2, 0, 5], [0, 0, 0, 1]],
}


@pytest.mark.parametrize("axes", AFFINES)
@pytest.mark.parametrize("plane", PLANES)
def test_axes_are_brought_into_one_order_and_back(tmp_path, axes, plane):
    affine = np.array(AFFINES[axes], float)
    path = nifti(tmp_path / "a.nii.gz", marked(affine), affine)
    volume = Volume(path, plane)
    values = volume.read()
    assert nibabel.aff2axcodes(volume.affine) == tuple(PLANES[plane])
    assert values.shape == volume.shape
    place = volume.affine @ [1, 2, 3, 1]
    assert values[1, 2, 3] == 10000 + 100 * place[0] + 10 * place[1] + place[2]
    write_volume(tmp_path / "b.nii.gz", values, volume)
    one, other = nibabel.load(path), nibabel.load(tmp_path / "b.nii.gz")
    assert np.array_equal(one.affine, other.affine)
    assert np.array_equal(one.dataobj, other.dataobj)
    assert one.header["sform_code"] == other.header["sform_code"]


def test_a_file_that_does_not_say_where_it_lies(tmp_path):
    image = nibabel.Nifti1Image(VALUES.astype(np.int16), None)
    nibabel.save(image, tmp_path / "a.nii")
    volume = Volume(tmp_path / "a.nii")
    assert volume.stored_axes == "LAS, unsaid"
    write_volume(tmp_path / "b.nii", volume.read(), volume)
    written = nibabel.load(tmp_path / "b.nii")
    assert written.header["sform_code"] == written.header["qform_code"] == 0
    assert np.array_equal(written.dataobj, VALUES)


def test_labels_take_the_place_of_a_scaled_image(tmp_path):
    image = nibabel.Nifti1Image(VALUES.astype(np.float32), np.diag([0.5, 0.5, 3, 1]))
    image.header["qform_code"], image.header["cal_max"] = 2, 99
    nibabel.save(image, tmp_path / "a.nii")
    volume = Volume(tmp_path / "a.nii")
    labels = RNG.integers(0, 3, volume.shape).astype(np.uint8)
    write_volume(tmp_path / "b.nii.gz", labels, volume)
    written = nibabel.load(tmp_path / "b.nii.gz")
    assert written.get_data_dtype() == np.uint8
    assert np.array_equal(written.affine, image.affine)
    assert written.header["qform_code"] == 2
    assert written.header["cal_max"] == 0
    assert written.header.get_xyzt_units() == image.header.get_xyzt_units()
    assert np.array_equal(Volume(tmp_path / "b.nii.gz").read_labels(), labels)
    with pytest.raises(DataError, match=r"numbers for a volume of"):
        write_volume(tmp_path / "c.nii.gz", labels[1:], volume)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32", "float32", "float64"])
def test_numbers_are_the_files_own(tmp_path, dtype):
    values = RNG.integers(0, 200, (3, 4, 5)).astype(dtype)
    read = Volume(nifti(tmp_path / "a.nii", values)).read()
    assert np.array_equal(read, values.transpose(2, 1, 0)[:, ::-1, ::-1])  # from R A S to S P L
    assert read.dtype == {"int32": "int16", "float64": "float32"}.get(dtype, dtype)


def test_scaled_numbers_are_real_numbers(tmp_path):
    image = nibabel.Nifti1Image(np.arange(24, dtype=np.int16).reshape(2, 3, 4), np.eye(4))
    content = bytearray(image.to_bytes())
    content[112:120] = np.array([0.5, -10], "<f4").tobytes()  # scl_slope, scl_inter
    (tmp_path / "a.nii").write_bytes(content)
    assert sorted(Volume(tmp_path / "a.nii").read().ravel()) == (np.arange(24) * 0.5 - 10).tolist()


def test_labels_are_whole_numbers(tmp_path):
    near = np.array([[[0, 1.0004, 2.9999]]], np.float32)
    labels = Volume(nifti(tmp_path / "a.nii", near)).read_labels()
    assert labels.dtype == np.int32
    assert sorted(labels.ravel()) == [0, 1, 3]
    path = nifti(tmp_path / "b.nii", near + np.float32(0.3))
    with pytest.raises(DatasetError, match=r"b.nii: holds [\d.]+ at 3 of 3 voxels.*nearest"):
        Volume(path).read_labels()


def test_a_label_that_is_no_class_is_named_with_its_slice(tmp_path):
    values = np.zeros((3, 4, 5), np.uint8)
    values[0, 0, 2] = 7
    path = nifti(tmp_path / "a.nii", values)
    with pytest.raises(DatasetError, match=r"a.nii, axial slice 2: label 7 at row 3, column 2 in"):
        VolumeReader(3, "axial")(path)
    assert VolumeReader(3, "axial", value_map={0: 0, 7: 2})(path)[2, 3, 2] == 2


def test_affines_of_image_and_labels(tmp_path):
    affine = np.array(AFFINES["LAS"], float)
    image = Volume(nifti(tmp_path / "a.nii", marked(affine), affine))
    for name, shift, axes in (("near", 1e-8, "LAS"), ("turned", 0, "PSR")):
        other = np.array(AFFINES[axes], float)
        if axes == "PSR":  # the same voxels, stored along other axes
            turned = nibabel.orientations
            turn = turned.ornt_transform(*(turned.axcodes2ornt(c) for c in ("LAS", "PSR")))
            other = affine @ turned.inv_ornt_aff(turn, (6, 7, 8))
            values = turned.apply_orientation(marked(affine), turn)
        else:
            values = marked(affine)
            other[0, 3] += shift
        labels = Volume(nifti(tmp_path / f"{name}.nii", values, other))
        check_grids(image, labels)
        assert np.array_equal(labels.read(), image.read())
    affine[0, 3] += 0.01
    path = nifti(tmp_path / "far.nii", marked(affine), affine)
    with pytest.raises(DatasetError, match=r"far.nii: lies up to 0.01 mm .*9.01.*, there .*9.0\]"):
        check_grids(image, Volume(path))
    path = nifti(tmp_path / "cut.nii", marked(affine)[1:], affine)
    with pytest.raises(DatasetError, match=r"8 x 7 x 5 voxels .axial., image .* 8 x 7 x 6"):
        check_grids(image, Volume(path))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((3, 4, 5, 2), np.int16), r"holds 3 x 4 x 5 x 2 numbers, .*a file of its own"),
        (np.zeros((3, 4), np.int16), r"holds 3 x 4 numbers"),
        (np.full((3, 4, 5), np.nan, np.float32), r"holds 60 voxels that are NaN.*nan_to_num"),
        (np.zeros((3, 4, 5), np.complex64), r"its voxels are complex64"),
    ],
)
def test_other_nifti_is_refused(tmp_path, values, message):
    with pytest.raises(DatasetError, match=rf"a.nii.gz: {message}"):
        Volume(nifti(tmp_path / "a.nii.gz", values)).read()


def test_four_axes_of_one_frame_are_a_volume(tmp_path):
    volume = Volume(nifti(tmp_path / "a.nii.gz", np.zeros((3, 4, 5, 1), np.int16)))
    assert volume.shape == (5, 4, 3)
    write_volume(tmp_path / "b.nii.gz", volume.read(), volume)
    assert nibabel.load(tmp_path / "b.nii.gz").shape == (3, 4, 5)


def test_damaged_files_are_named(tmp_path):
    path = nifti(tmp_path / "a.nii.gz", VALUES)
    path.write_bytes(path.read_bytes()[:-80])
    with pytest.raises(DatasetError, match=r"a.nii.gz: cannot be read.*export the file again"):
        Volume(path).read()
    (tmp_path / "b.nii.gz").write_bytes(b"no volume")
    with pytest.raises(DatasetError, match=r"b.nii.gz: cannot be read"):
        Volume(tmp_path / "b.nii.gz")
    with pytest.raises(DatasetError, match=r"c.nii.gz: file not found"):
        Volume(tmp_path / "c.nii.gz")


def test_a_series_lies_as_its_positions_say(tmp_path):
    folder = series(tmp_path / "a", VALUES)
    (folder / "notes.txt").write_text("no slice")
    assert is_volume(folder)
    volume = Volume(folder)
    assert volume.spacing == (2, 0.5, 0.75)
    assert np.array_equal(volume.read(), VALUES.astype(np.int16) - 1024)
    # x and y of DICOM go to the left and to the back.
    assert (volume.affine @ [1, 2, 4, 1]).tolist() == [5 - 4 * 0.75, 7 - 2 * 0.5, 32, 1]
    write_volume(tmp_path / "a.nii.gz", volume.read(), volume)
    written = Volume(tmp_path / "a.nii.gz")
    check_grids(volume, written)
    assert np.array_equal(written.read(), volume.read())
    assert nibabel.load(tmp_path / "a.nii.gz").shape == (5, 6, 4)
    assert nibabel.load(tmp_path / "a.nii.gz").header.get_xyzt_units()[0] == "mm"


def test_a_series_is_rescaled_slice_by_slice(tmp_path):
    tags = {"RescaleSlope": "0.5", "RescaleIntercept": "10"}
    folder = series(tmp_path / "a", VALUES, of_slice={2: tags})
    values = Volume(folder).read()
    assert values.dtype == np.float32
    assert np.array_equal(values[2], VALUES[2] * 0.5 + 10)
    assert np.array_equal(values[1], VALUES[1] - 1024.0)


def test_coronal_series_are_turned(tmp_path):
    tags = {"ImageOrientationPatient": [1, 0, 0, 0, 0, -1]}
    places = {n: {"ImagePositionPatient": [0, 2.0 * n, 50]} for n in range(4)}
    volume = Volume(series(tmp_path / "a", VALUES, tags=tags, of_slice=places), "coronal")
    assert volume.spacing == (2, 0.5, 0.75)
    assert np.array_equal(volume.read(), VALUES.astype(np.int16) - 1024)
    assert thickest_plane([volume]) == "coronal"


POSITION = "ImagePositionPatient"


@pytest.mark.parametrize(
    ("tags", "of_slice", "message"),
    [
        ({}, {2: {POSITION: [-5, -7, 32]}}, r"two slices at one place: IM.* 32 mm and IM.* 32"),
        ({}, {3: {POSITION: [-5, -7, 40]}}, r"2 slice\(s\) are missing between IM.* at 34 mm"),
        ({}, {3: {POSITION: [-5, -7, 36.7]}}, r"unevenly spaced .* the others are 2 mm apart"),
        ({}, {n: {POSITION: [-5, n, 30 + 2 * n]} for n in range(4)}, r"by 1 mm .*dcm2niix"),
        ({}, {1: {"SeriesInstanceUID": "1.2.3"}}, r"2 series: .*1.2.3 \(no description, 1 files\)"),
        ({}, {1: {"ImageOrientationPatient": [0, 1, 0, 0, 0, 1]}}, r"another direction.*localizer"),
        ({}, {1: {"PixelSpacing": [1, 1]}}, r"has PixelSpacing \[.*IM000 \[1.0, 1.0\]"),
        ({}, {1: {POSITION: None}}, r"it lacks ImagePositionPatient"),
        ({"PhotometricInterpretation": "MONOCHROME1"}, {}, r"CHROME1, .*save it as MONOCHROME2"),
        ({"PhotometricInterpretation": "RGB"}, {}, r"is RGB; take a series of grey slices"),
        ({"NumberOfFrames": 7}, {}, r"holds 7 frames .*dcm2niix"),
    ],
)  # fmt: skip
def test_other_series_are_refused(tmp_path, tags, of_slice, message):
    with pytest.raises(DatasetError, match=message):
        Volume(series(tmp_path / "a", VALUES, tags=tags, of_slice=of_slice))


def test_what_the_messages_ask_for_helps(tmp_path):
    folder = series(tmp_path / "a", VALUES, of_slice={2: {POSITION: [-5, -7, 32]}})
    with pytest.raises(DatasetError, match="two slices at one place") as error:
        Volume(folder)
    (folder / str(error.value).split("place: ")[1].split()[0]).unlink()
    with pytest.raises(DatasetError, match="slices are unevenly spaced"):
        Volume(folder)
    shutil.rmtree(folder)
    folder = series(folder, VALUES, of_slice={3: {"SeriesInstanceUID": "1.2.3"}})
    (folder / "other").mkdir()
    for file in folder.glob("IM*"):
        if pydicom.dcmread(file).SeriesInstanceUID == "1.2.3":
            file.rename(folder / "other" / file.name)
    assert Volume(folder).shape == (3, 6, 5)
    with pytest.raises(DatasetError, match="holds one slice"):
        Volume(folder / "other")


def test_damaged_and_compressed_slices(tmp_path, monkeypatch):
    folder = series(tmp_path / "a", VALUES)
    file = folder / "IM000"
    whole = file.read_bytes()
    file.write_bytes(whole[:-20])
    with pytest.raises(DatasetError, match=r"IM000: cannot be read"):
        Volume(folder).read()
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(DatasetError, match=r"empty: holds no DICOM image"):
        Volume(empty)
    assert not is_volume(empty)
    file.write_bytes(whole)
    for path in folder.iterdir():
        slices = pydicom.dcmread(path)
        frame = pydicom.encaps.encapsulate([b"\xff\xd8\xff\xd9"])
        slices.file_meta.TransferSyntaxUID = pydicom.uid.JPEGLosslessSV1
        slices.PixelData = frame
        slices["PixelData"].VR = "OB"
        slices.save_as(path, enforce_file_format=True)
    with pytest.raises(ConfigError, match=r"JPEG Lossless.* other JPEG python-gdcm"):
        Volume(folder).read()


def test_jpeg_2000_is_read(tmp_path):
    pytest.importorskip("openjpeg")
    from pydicom.uid import JPEG2000Lossless

    values = RNG.integers(0, 4096, (3, 64, 48), np.uint16)
    folder = series(tmp_path / "a", values)
    for path in folder.iterdir():
        file = pydicom.dcmread(path)
        file.compress(JPEG2000Lossless)
        file.save_as(path, enforce_file_format=True)
    assert np.array_equal(Volume(folder).read(), values.astype(np.int16) - 1024)


def test_the_plane_of_the_thickest_slices(tmp_path):
    volumes = [
        Volume(nifti(tmp_path / f"{n}.nii", VALUES, np.diag([*sides, 1.0])))
        for n, sides in enumerate([(1, 1, 1), (1, 3, 1), (1, 3, 2)])
    ]
    assert thickest_plane(volumes[:1]) == "axial"
    assert thickest_plane(volumes) == "coronal"
