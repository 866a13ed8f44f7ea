import numpy as np
import pytest

from segnoise.noise import prediction_path, save_top2
from segnoise.noise.geometry.predictions import load_top2


def softmax(seed, shape):
    logits = np.random.default_rng(seed).normal(0, 2, shape)
    return np.exp(logits) / np.exp(logits).sum(0)


@pytest.mark.parametrize(("classes", "dtype"), [(2, np.uint8), (19, np.uint8), (300, np.uint16)])
def test_the_best_two_of_each_pixel(tmp_path, classes, dtype):
    probabilities = softmax(0, (classes, 6, 7)).astype(np.float32)
    path = prediction_path(tmp_path, "city/frame.01")
    save_top2(path, probabilities)
    assert [file.relative_to(tmp_path).as_posix() for file in tmp_path.rglob("*.*")] == [
        "city/frame.01.npz"
    ]
    labels, best = load_top2(path, (6, 7), classes)
    order = np.argsort(-probabilities, axis=0, kind="stable")[:2]
    assert labels.dtype == dtype
    np.testing.assert_array_equal(labels, order)
    assert best.dtype == np.float16
    expected = np.take_along_axis(probabilities, order, axis=0).astype(np.float16)
    np.testing.assert_array_equal(best, expected)


def test_ties_go_to_the_lower_class(tmp_path):
    save_top2(tmp_path / "a.npz", np.full((4, 1, 2), 0.25))
    labels, probabilities = load_top2(tmp_path / "a.npz", (1, 2), 4)
    assert labels.tolist() == [[[0, 0]], [[1, 1]]]
    assert probabilities.tolist() == [[[0.25, 0.25]], [[0.25, 0.25]]]


def test_rounding_errors_of_a_softmax_are_accepted(tmp_path):
    save_top2(tmp_path / "a.npz", np.array([[[1.0000002]], [[-0.0]]], np.float32))
    assert load_top2(tmp_path / "a.npz", (1, 1), 2)[1].ravel().tolist() == [1, 0]


def test_a_file_is_replaced_and_none_is_left_behind(tmp_path):
    for seed in range(2):
        save_top2(tmp_path / "a.npz", softmax(seed, (3, 4, 5)))
    with pytest.raises(OSError, match=r"."):
        save_top2(tmp_path / "a.npz" / "b.npz", softmax(0, (3, 4, 5)))
    assert [file.name for file in tmp_path.iterdir()] == ["a.npz"]
    expected = np.argsort(-softmax(1, (3, 4, 5)), axis=0)[:2]
    np.testing.assert_array_equal(load_top2(tmp_path / "a.npz", (4, 5), 3)[0], expected)


@pytest.mark.parametrize("name", ["", "/etc/passwd", "../a", "a/../../b", "."])
def test_names_that_lead_out_of_the_folder(tmp_path, name):
    with pytest.raises(ValueError, match="names no file within"):
        prediction_path(tmp_path, name)


@pytest.mark.parametrize(
    ("name", "probabilities", "error", "message"),
    [
        ("a.npy", np.zeros((2, 1, 1)), ValueError, r"a\.npy must end in \.npz"),
        ("a.npz", [[0.5]], TypeError, "must be an array of floats, not list"),
        ("a.npz", np.zeros((2, 1, 1), int), TypeError, "must be an array of floats, not int64"),
        ("a.npz", np.zeros((1, 4, 4)), ValueError, r"have shape \(1, 4, 4\), not \(K >= 2, H, W\)"),
        ("a.npz", np.full((2, 1, 1), -0.5), ValueError, "apply the softmax to logits first"),
        ("a.npz", np.full((2, 1, 1), 7.0), ValueError, "must be from 0 to 1"),
        ("a.npz", np.full((2, 1, 1), np.nan), ValueError, "must be from 0 to 1"),
    ],
)
def test_what_cannot_be_saved(tmp_path, name, probabilities, error, message):
    with pytest.raises(error, match=message):
        save_top2(tmp_path / name, probabilities)
    assert not list(tmp_path.iterdir())


def good():
    return {
        "labels": np.array([[[1, 0]], [[2, 1]]], np.uint8),
        "probabilities": np.array([[[0.5, 0.75]], [[0.25, 0.25]]], np.float16),
    }


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": np.zeros((2, 2, 1), np.uint8)}, r"labels have shape \(2, 2, 1\), but the mask"),
        ({"probabilities": np.zeros((1, 2), np.float16)}, r"probabilities have shape \(1, 2\)"),
        ({"labels": np.array([[[1.0, 0]], [[2, 1]]])}, "labels are float64"),
        ({"probabilities": np.zeros((2, 1, 2))}, "float16 or float32"),
        ({"labels": np.array([[[3, 0]], [[2, 1]]])}, "class id 3 is none of the 3 classes"),
        ({"labels": np.array([[[-1, 0]], [[2, 1]]])}, "class id -1 is none of"),
        ({"labels": np.array([[[2, 0]], [[2, 1]]])}, "are the same somewhere"),
        ({"probabilities": np.array([[[2, 1]], [[0, 0]]], np.float32)}, "not all from 0 to 1"),
        ({"probabilities": np.array([[[np.nan, 1]], [[0, 0]]], np.float32)}, "not all from 0 to 1"),
        ({"probabilities": np.array([[[-1, 1]], [[-2, 0]]], np.float16)}, "not all from 0 to 1"),
        ({"probabilities": np.array([[[0.2, 1]], [[0.5, 0]]], np.float16)}, "more probable than"),
    ],
)
def test_files_that_do_not_fit(tmp_path, changes, message):
    path = tmp_path / "a.npz"
    np.savez(path, **good())
    load_top2(path, (1, 2), 3)
    np.savez(path, **{**good(), **changes})
    with pytest.raises(ValueError, match=rf"a\.npz: .*{message}.*: save the model's predictions"):
        load_top2(path, (1, 2), 3)


def test_files_that_are_none(tmp_path):
    path = tmp_path / "a.npz"
    with pytest.raises(FileNotFoundError, match=r"a\.npz: no saved prediction: save the model's"):
        load_top2(path, (1, 2), 3)
    path.write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(ValueError, match=r"a\.npz is no file of saved predictions"):
        load_top2(path, (1, 2), 3)
    np.savez(path, labels=good()["labels"])
    with pytest.raises(ValueError, match=r"a\.npz is no file of saved predictions .*probabilities"):
        load_top2(path, (1, 2), 3)
    np.savez(path, labels=np.array([{}], object), probabilities=np.zeros(1))
    with pytest.raises(ValueError, match=r"a\.npz is no file of saved predictions"):
        load_top2(path, (1, 2), 3)
    np.save(path.with_suffix(".npy"), good()["labels"])
    path.with_suffix(".npy").rename(path)
    with pytest.raises(ValueError, match=r"a\.npz is no file of saved predictions"):
        load_top2(path, (1, 2), 3)
