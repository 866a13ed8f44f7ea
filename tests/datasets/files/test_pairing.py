"""Names in folders and lists: what is one sample, and what is said of those that are none."""

import os
import unicodedata

import numpy as np
import pytest
from PIL import Image

from segnoise.datasets import FolderDataset, RaterMasks
from segnoise.datasets.files.images import image_size
from segnoise.datasets.files.pairing import index_folder
from segnoise.errors import ConfigError, DataError
from segnoise.inspection.compare import pair_masks

NFC, NFD = (unicodedata.normalize(form, "Zürich") for form in ("NFC", "NFD"))


def make(root, images, masks, listed=None):
    (root / "classes.txt").write_text("no\nyes\n")
    for folder, names in (("images", images), ("masks", masks)):
        for name in names:
            path = root / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.suffix == ".npy":
                np.save(path, np.zeros((4, 4), np.uint8))
            else:
                Image.fromarray(np.zeros((4, 4), np.uint8)).save(path)
    if listed is not None:
        (root / "train.txt").write_bytes(listed.encode(errors="surrogateescape"))
    return root


def ids(root, **arguments):
    dataset = FolderDataset(root, split="train", **arguments)
    return [(dataset.sample_id(i), dataset.paths(i)[1].name) for i in range(len(dataset))]


@pytest.mark.parametrize(
    "line",
    [
        "s/a", "s\\a", "./s/a.png", ".\\s\\a.jpg", "images/s/a.png", "/images/s/a.png",
        "images\\s\\a.png", "images/s/a.png masks/s/a.png", "s/a.jpg,s/a.png", "s/a\ts\\a",
        "s/a\r", "\ufeffs/a",
    ],
)  # fmt: skip
def test_lists_as_other_tools_write_them(tmp_path, line):
    root = make(tmp_path, ["s/a.png", "b.png"], ["s/a.png", "b.png"], f"{line}\nb\n")
    assert ids(root) == [("s/a", "a.png"), ("b", "b.png")]


def test_absolute_names_and_bytes_that_are_no_utf_8(tmp_path):
    name = os.fsdecode(b"na\xefve")
    root = make(tmp_path, [f"{name}.png", "a b.png"], [f"{name}.png", "a b.png"])
    (root / "train.txt").write_bytes(os.fsencode(f"{name}\n{root}/images/a b.png\n"))
    assert ids(root) == [(name, f"{name}.png"), ("a b", "a b.png")]


def test_two_columns_pair_what_they_name(tmp_path):
    root = make(tmp_path, ["a.png", "b.png"], ["a.png", "b.png", "m.png"], "a.png m.png\nb.png -1")
    with pytest.raises(DataError, match=r"second column of 'b.png -1' names no mask in .*masks"):
        ids(root)
    (root / "train.txt").write_text("images/a.png masks/m.png\n")
    assert ids(root) == [("a", "m.png")]


def test_composed_and_decomposed_letters_are_one_text(tmp_path):
    root = make(tmp_path, [f"{NFC}.png"], [f"{NFD}.png"], f"{NFD}.png\n")
    assert ids(root) == [(NFC, f"{NFD}.png")]
    assert len(FolderDataset(root)) == 1


@pytest.mark.parametrize(
    ("images", "masks", "listed", "words"),
    [
        (["a.png"], ["A.png"], "a", r"masks/a\.\*: mask missing \(A.png is there, but in another"),
        (["a.png"], ["a.npy"], "a", r"\(a.npy is there, but is no image file .*: convert it\)"),
        (["a.png"], ["a_mask.png", "a1.png"], "a", r"\(a_mask.png is there.*suffix '_mask.png'\)"),
        (["A.png"], ["A.png"], "a", r"images/a\.\*: image missing \(A.png is there, but in an"),
        (["a.png"], ["a1.png"], "a", r"masks/a\.\*: mask missing; add the file, or drop 'a'"),
        (["a.png"], ["a.png"], "a.npy", r"\(a.png is there: write 'a' into the list\)"),
        (["a.png"], ["a.png"], r"C:\set\a.png", r"\(a.png is there: write 'a' into the list\)"),
        (["d/a.png"], ["d/a.png"], '"/x/a.png"', r"\(a.png is there: write 'd/a' into the list"),
        (["a.png", "b.png"], ["a.png", "b.png"], "a, b", r"'a, b' names two samples; write one"),
        (["a.png"], ["a.png"], "a\na.png", r"sample 'a' more than once: 'a', 'a.png'; drop one"),
    ],
)
def test_near_files_are_named(tmp_path, images, masks, listed, words):
    root = make(tmp_path, images, masks, listed)
    with pytest.raises(DataError, match=words):
        ids(root)
    if "suffix" in words:
        assert ids(root, mask_suffix="_mask.png") == [("a", "a_mask.png")]


def test_each_folder_is_visited_once(tmp_path):
    root = make(tmp_path, ["z/a.png", "b.png"], ["z/a.png", "b.png"])
    for folder in ("images", "masks"):
        for name in ("again", "above"):
            (root / folder / name).symlink_to(root / folder)
        (root / folder / "z" / "up").symlink_to("..")
        (root / folder / "a_link").symlink_to(root / folder / "z")
        (root / folder / "self").symlink_to("self")
        (root / folder / "nowhere").symlink_to("nothing")
    dataset = FolderDataset(root)
    assert [dataset.sample_id(i) for i in range(len(dataset))] == ["b", "z/a"]


def test_links_to_folders_elsewhere_are_followed_once(tmp_path):
    (tmp_path / "store").mkdir()
    make(tmp_path / "store", ["a.png"], [])
    root = make(tmp_path, ["b.png"], ["b.png"])
    (root / "images" / "one").symlink_to(tmp_path / "store/images")
    (root / "images" / "two").symlink_to(tmp_path / "store/images")
    assert list(index_folder(root / "images", None).files) == ["b", "one/a"]
    for name in ("one", "two"):
        (root / "masks" / name).mkdir()
        Image.new("L", (4, 4)).save(root / "masks" / name / "a.png")
    with pytest.raises(DataError, match=r"images/two is a link to .*one, whose files count once"):
        FolderDataset(root)


def test_many_links_between_folders_take_no_time(tmp_path):
    folders = [tmp_path / "images" / f"d{i}" for i in range(40)]
    for folder in folders:
        folder.mkdir(parents=True)
        Image.new("L", (4, 4)).save(folder / "a.png")
    for folder in folders:
        for other in folders[:20]:
            (folder / f"to_{other.name}").symlink_to(other)
    assert len(index_folder(tmp_path / "images", None).files) == 40


def test_folders_that_are_not_there(tmp_path):
    root = make(tmp_path, ["a.png"], ["a.png"])
    (root / "link").symlink_to("nothing")
    with pytest.raises(DataError, match=r"link: is a link to nothing, which is not there; "):
        FolderDataset(root, mask_dir="link")
    with pytest.raises(ConfigError, match="knows no such user"):
        FolderDataset("~nobody-of-this-name")
    with pytest.raises(ConfigError, match="NUL"):
        FolderDataset(root, image_dir="a\0b")


@pytest.mark.skipif(os.getuid() != 0, reason="takes root to become somebody else")
def test_folders_that_may_not_be_listed(tmp_path):
    root = make(tmp_path, ["a.png", "s/b.png"], ["a.png"])
    for folder in [root, *root.parents]:
        folder.chmod(folder.stat().st_mode | 0o055)
    (root / "images" / "s").chmod(0o700)
    os.seteuid(65534)
    try:
        with pytest.raises(DataError, match=r"images/s: cannot be listed: Permission denied; "):
            FolderDataset(root)
    finally:
        os.seteuid(0)


def test_pipes_and_dangling_links_are_one_line(tmp_path):
    root = make(tmp_path, ["a.png", "b.png", "c.png"], ["a.png", "b.png", "c.png"])
    for path in (root / "images/a.png", root / "masks/b.png"):
        path.unlink()
        os.mkfifo(path)
    (root / "images/c.png").unlink()
    (root / "images/c.png").symlink_to("../gone.png")
    dataset = FolderDataset(root)
    for index, words in enumerate(
        [
            "images/a.png: is a named pipe, not a file; put",
            "masks/b.png: is a named pipe, not a file; put",
            r"images/c.png: is a link to ../gone.png, which is not there; restore",
        ]
    ):
        with pytest.raises(DataError, match=words):
            dataset[index]
        with pytest.raises(DataError, match=words):
            [image_size(path) for path in dataset.paths(index)]
    os.mkfifo(root / "train.txt")
    with pytest.raises(DataError, match=r"train.txt: is a named pipe, not a file"):
        FolderDataset(root, split="train")


def test_raters_and_compared_masks_are_found_in_either_form(tmp_path):
    root = make(tmp_path, [f"{NFC}.png"], [f"{NFC}.png"])
    (root / "rater").mkdir()
    Image.fromarray(np.ones((4, 4), np.uint8)).save(root / "rater" / f"{NFD}.png")
    raters = RaterMasks(FolderDataset(root), [root / "rater"])
    assert raters[0]["mask"].sum() == 16
    [pair] = pair_masks(root / "masks", root / "rater")
    assert (pair.clean.name, pair.noisy.name) == (f"{NFC}.png", f"{NFD}.png")
    (root / "rater" / f"{NFD}.png").rename(root / "rater" / "other.png")
    with pytest.raises(DataError, match=r"no mask of it has the name"):
        pair_masks(root / "masks", root / "rater")
