"""Data sets of volumes: cases, slices, windows, and what does not fit together."""

import json
import pickle
import re

import numpy as np
import pytest

from segnoise.datasets import VolumeDataset
from segnoise.datasets.problems import DatasetError
from segnoise.datasets.volumes import Intensity
from segnoise.errors import ConfigError
from segnoise.inspection import check_dataset, contact_sheet

pytest.importorskip("nibabel")
pytest.importorskip("pydicom")
from volume_files import nifti, series

RNG = np.random.default_rng(0)
CLASSES = ["background", "organ", "lesion"]
SPL = np.array([[0, 0, -1, 0], [0, -1, 0, 0], [2, 0, 0, 0], [0, 0, 0, 1.0]])  # as slices are read


def case(number, depth=4):
    """Numbers and labels, (D, H, W); the labels say which slice they are of."""
    image = RNG.normal(100 * number, 30, (depth, 6, 5)).astype(np.float32)
    labels = np.zeros((depth, 6, 5), np.uint8)
    labels[1:, 1:4, 1:4] = 1
    labels[depth - 1, 2, 2] = 2
    return image, labels


@pytest.fixture
def root(tmp_path):
    for number in range(3):
        image, labels = case(number, 4 + number)
        nifti(tmp_path / f"images/c{number}.nii.gz", image, SPL)
        nifti(tmp_path / f"labels/c{number}.nii.gz", labels, SPL)
    (tmp_path / "classes.txt").write_text("\n".join(CLASSES))
    (tmp_path / "train.txt").write_text("c0\nc2\n")
    return tmp_path


def test_samples_are_slices(root):
    data = VolumeDataset(root, "train")
    assert len(data) == 4 + 6
    ids = [data.sample_id(n) for n in range(len(data))]
    assert ids[:5] == ["c0/000", "c0/001", "c0/002", "c0/003", "c2/000"]
    whole = np.concatenate([data[n]["image"].ravel() for n in range(4)])
    assert whole.dtype == np.float32
    assert abs(whole.mean()) < 1e-5
    assert abs(whole.std() - 1) < 1e-5
    labels = data.load_whole(9)
    assert labels.shape == (6, 6, 5)
    assert np.array_equal(data[9]["mask"], labels[5])
    assert data.slice_of(9) == ("c2", 5, (2, 1, 1))
    assert data.metainfo["image"]["channels"] == 1
    assert data.metainfo["image"]["dtype"] == "float32"


def test_neighbours_are_channels(root):
    data, flat = (VolumeDataset(root, context=k, intensity="raw") for k in (2, 0))
    for number, places in ((0, [0, 0, 0, 1, 2]), (2, [0, 1, 2, 3, 3])):
        image = data[number]["image"]
        assert image.shape == (6, 5, 5)
        for channel, place in enumerate(places):
            assert np.array_equal(image[:, :, channel], flat[place]["image"][:, :, 0])
    assert data.metainfo["image"]["channels"] == 5


def test_intensities():
    values = np.array([[-2000.0, -160, 40, 240, 3000]])
    assert Intensity("soft tissue")(values, None).tolist() == [[0, 0, 0.5, 1, 1]]
    assert Intensity("lung")(np.array([-1350, -600, 150]), None).tolist() == [0, 0.5, 1]
    assert Intensity("bone")(np.array([-500, 400, 1300], np.int16), None).tolist() == [0, 0.5, 1]
    assert Intensity((0, 10))(np.array([-5, 5], np.int16), None).tolist() == [0, 0.5]
    assert Intensity("raw")(values, None).tolist() == values.tolist()
    known = Intensity("z-score").statistics(np.array([2, 4], np.uint8))
    assert Intensity("z-score")(np.array([2, 4], np.uint8), known).tolist() == [-1, 1]
    for wrong in ((5, 5), (1, 2, 3), "liver", 7):
        with pytest.raises(ConfigError, match="intensity"):
            Intensity(wrong)


def test_planes(root):
    data = VolumeDataset(root, plane="sagittal")
    assert len(data) == 15
    assert data[0]["mask"].shape == (4, 6)
    assert data.slice_of(0).spacing == (1, 2, 1)
    assert "axial" in repr(VolumeDataset(root))  # slices are 2 mm apart, pixels 1 mm


def test_empty_slices_can_be_left_out(root):
    data = VolumeDataset(root, "train", skip_empty=True)
    assert [data.sample_id(n) for n in range(4)] == ["c0/001", "c0/002", "c0/003", "c2/001"]
    assert data.slice_of(3).number == 1


def test_nnu_nets_layout(tmp_path):
    for number in range(2):
        image, labels = case(number)
        labels[0] = 3
        for channel in range(2):
            nifti(tmp_path / f"imagesTr/c_{number}_{channel:04d}.nii.gz", image + channel, SPL)
        nifti(tmp_path / f"labelsTr/c_{number}.nii.gz", labels, SPL)
    names = {"background": 0, "organ": 1, "lesion": 2, "ignore": 3}
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": names}))
    data = VolumeDataset(tmp_path, context=1, intensity="raw")
    assert data.metainfo["classes"] == tuple(CLASSES)
    assert np.unique(data[0]["mask"]).tolist() == [255]
    image = data[1]["image"]
    assert image.shape == (6, 5, 6)
    assert np.allclose(image[:, :, 1::2], image[:, :, ::2] + 1)
    older = {str(value): name for name, value in names.items()}
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": older}))
    assert VolumeDataset(tmp_path).metainfo["classes"] == tuple(CLASSES)
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": {**names, "tumor": [1, 2]}}))
    with pytest.raises(DatasetError, match=r"dataset.json: has regions of several labels"):
        VolumeDataset(tmp_path)
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": {**names, "tumor": 4}}))
    with pytest.raises(DatasetError, match=r"'ignore' is not the highest label"):
        VolumeDataset(tmp_path)
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": names}))
    (tmp_path / "imagesTr/c_1_0001.nii.gz").unlink()
    with pytest.raises(DatasetError, match=r"'c_1' has channels \[0\], 'c_0' \[0, 1\]"):
        VolumeDataset(tmp_path)


def test_dicom_series_with_nifti_labels(tmp_path):
    values = RNG.integers(800, 1300, (4, 6, 5), np.uint16)
    series(tmp_path / "images/a", values, origin=(0, 0, 0))
    labels = (values > 1000).astype(np.float32)
    affine = SPL @ np.diag([1, 0.5, 0.75, 1])
    nifti(tmp_path / "labels/a.nii.gz", labels, affine)
    data = VolumeDataset(tmp_path, classes=["low", "high"], intensity=(-1024, 1024))
    assert np.array_equal(data[2]["mask"], labels[2])
    again = pickle.loads(pickle.dumps(data))  # as a spawned worker gets it
    for each in (data, again):
        assert np.allclose(each[2]["image"][:, :, 0], values[2] / 2048)
    affine[2, 3] = 0.5
    nifti(tmp_path / "labels/a.nii.gz", labels, affine)
    with pytest.raises(DatasetError, match=r"lies up to 0.5 mm beside its image .*images/a"):
        VolumeDataset(tmp_path, classes=["low", "high"])


def test_what_does_not_fit_is_told_at_once(root):
    nifti(root / "labels/c0.nii.gz", case(0)[1][1:], SPL)
    (root / "labels/c1.nii.gz").unlink()
    with pytest.raises(DatasetError, match=r"labels of the case 'c1' missing; add the file, or"):
        VolumeDataset(root)
    with pytest.raises(DatasetError, match=r"c0.nii.gz: labels are 3 x 6 x 5 voxels"):
        VolumeDataset(root, "train")
    (root / "train.txt").write_text("c2\n")
    assert len(VolumeDataset(root, "train")) == 6
    with pytest.raises(DatasetError, match=r"no list for split 'val'"):
        VolumeDataset(root, "val")
    with pytest.raises(ConfigError, match=r"plane"):
        VolumeDataset(root, "train", plane="oblique")


def test_few_cases_are_kept_in_memory(root, monkeypatch):
    reads = []
    from segnoise.datasets.files.volumes import Volume

    read = Volume.read
    monkeypatch.setattr(Volume, "read", lambda self: reads.append(self.path.name) or read(self))
    data = VolumeDataset(root, cache_mb=0)
    for n in range(len(data)):
        data[n]
    assert len(reads) == 6  # an image and labels of each case, once
    data[0]
    assert len(reads) == 8
    reads.clear()
    data = pickle.loads(pickle.dumps(VolumeDataset(root)))
    for n in [*range(len(data)), *range(len(data))]:
        data[n]
    assert len(reads) == 6


def test_the_tools_look_at_slices(root):
    data = VolumeDataset(root, context=1)
    for images in (True, False):
        check = check_dataset(data, images=images)
        assert check.ok
        assert check.remarks(CLASSES) == []
        assert check.histogram.sum() == 15 * 30
    assert contact_sheet(data, 4).ndim == 3
    assert "| 3 | 2 x 1 x 1 | SPL | 4 to 6 | 6 | 5 | c0.nii.gz ... |" in re.sub(
        " +", " ", data.describe()
    )
    nifti(root / "labels/c0.nii.gz", case(0)[1] + np.uint8(3), SPL)
    check = check_dataset(VolumeDataset(root))
    assert "c0.nii.gz, axial slice 0: label 3 at row 0, column 0" in str(check.problems[0])
