"""Noisy copies of volumes: NIfTI files like the clean ones, a file a case."""

import numpy as np
import pytest

from segnoise.datasets import (
    NoisyCopy,
    NoisyLabels,
    VolumeDataset,
    verify_noisy_copy,
    write_noisy_copy,
)
from segnoise.datasets.problems import DatasetError

nibabel = pytest.importorskip("nibabel")
from volume_files import nifti  # noqa: E402

RNG = np.random.default_rng(0)
PSR = np.array([[0, 0, 1, -3], [-1, 0, 0, 4], [0, 3, 0, 5], [0, 0, 0, 1.0]])


def write(root, labels, case="a"):
    nifti(root / f"images/{case}.nii.gz", RNG.normal(size=labels.shape).astype(np.float32), PSR)
    return nifti(root / f"labels/{case}.nii.gz", labels, PSR)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
def test_a_copy_holds_what_the_noise_makes(tmp_path, dtype):
    values = np.array([0, 3, 7], dtype)
    clean = {c: values[RNG.integers(0, 3, (12, 6, 10))] for c in "ab"}
    for case, labels in clean.items():
        write(tmp_path / "data", labels, case)
    data = VolumeDataset(
        tmp_path / "data", classes=["x", "y", "z"], value_map={0: 0, 3: 1, 7: 2}, plane="coronal"
    )
    noisy = NoisyLabels(data, {"type": "SymmetricFlip", "rate": 0.3}, seed=4)
    manifest, written = write_noisy_copy(noisy, tmp_path / "copy")
    assert written == 2
    assert [file["path"] for file in manifest["files"]] == ["labels/a.nii.gz", "labels/b.nii.gz"]
    assert manifest["files"][0]["seed_key"] == [4, "noise", "a"]
    copy = NoisyCopy(data, tmp_path / "copy")
    for index in range(len(data)):
        one, other = noisy[index], copy[index]
        assert np.array_equal(one["mask"], other["mask"])
        assert np.array_equal(one["clean_mask"], other["clean_mask"])
    for case, labels in clean.items():
        file = nibabel.load(tmp_path / f"copy/labels/{case}.nii.gz")
        assert file.get_data_dtype() == dtype
        assert np.array_equal(file.affine, PSR)
        changed = np.asarray(file.dataobj) != labels
        assert abs(changed.mean() - 0.3) < 0.06
        assert set(np.unique(file.dataobj)) == {0, 3, 7}
    assert verify_noisy_copy(tmp_path / "copy", noisy) == []
    assert write_noisy_copy(noisy, tmp_path / "copy")[1] == 0
    (tmp_path / "copy/labels/b.nii.gz").write_bytes(b"")
    (problem,) = verify_noisy_copy(tmp_path / "copy", noisy)
    assert "b.nii.gz" in str(problem)


def test_a_class_that_the_file_has_no_number_for(tmp_path):
    write(tmp_path / "data", RNG.integers(0, 2, (12, 6, 10)).astype(np.uint8))
    data = VolumeDataset(tmp_path / "data", classes=["x", "y"], value_map={0: 0, 1: 1})
    noisy = NoisyLabels(data, {"type": "VoidDropout", "rate": 0.3})
    with pytest.raises(DatasetError, match=r"a.nii.gz: value_map has no value for void"):
        write_noisy_copy(noisy, tmp_path / "copy")


def test_what_does_not_change_is_the_same_file(tmp_path):
    path = write(tmp_path / "data", RNG.integers(0, 2, (12, 6, 10)).astype(np.uint8))
    data = VolumeDataset(tmp_path / "data", classes=["x", "y"])
    noisy = NoisyLabels(data, {"type": "SymmetricFlip", "rate": 0.0})
    write_noisy_copy(noisy, tmp_path / "copy")
    assert (tmp_path / "copy/labels/a.nii.gz").read_bytes() == path.read_bytes()
