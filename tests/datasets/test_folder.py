"""A team's own folders: every way to say where things lie, and every way to get it wrong."""

import os
import pickle

import numpy as np
import pytest
from PIL import Image

from segnoise.datasets import DatasetError, FolderDataset
from segnoise.errors import ConfigError, DataError


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(array, np.uint8)).save(path)


IMAGE = np.arange(24, dtype=np.uint8).reshape(4, 6)
MASK = np.array([[0, 1, 1, 0, 255, 0]] * 4, np.uint8)


def test_protocol(folder_root):
    dataset = FolderDataset(folder_root, "train")
    assert len(dataset) == 8
    assert dataset.metainfo["classes"] == ("background", "liver", "left kidney")
    assert len(dataset.metainfo["palette"]) == 3
    assert dataset.metainfo["ignore_index"] == 255
    assert dataset.sample_id(1) == "a/scan_01"
    image_path, mask_path = dataset.paths(1)
    assert image_path == folder_root / "images/a/scan_01.png"
    assert mask_path == folder_root / "masks/a/scan_01.png"
    sample = dataset[1]
    assert set(sample) == {"image", "mask", "sample_id"}
    assert (sample["image"] == np.array(Image.open(image_path))).all()
    assert (sample["mask"] == np.array(Image.open(mask_path))).all()
    assert (dataset.load_mask(1) == sample["mask"]).all()
    assert len(list(dataset)) == 8  # iteration ends
    whole = FolderDataset(folder_root)  # without a split all files, sorted
    ids = [whole.sample_id(i) for i in range(len(whole))]
    assert ids == sorted(ids)
    assert len(ids) == 12


def test_split_as_path_and_split_dir(folder_root):
    (folder_root / "lists").mkdir()
    (folder_root / "lists/fold_1.txt").write_text("a/scan_03.png\n\n b/scan_02 \n")
    for dataset in (
        FolderDataset(folder_root, "lists/fold_1.txt"),
        FolderDataset(folder_root, folder_root / "lists/fold_1.txt"),
        FolderDataset(folder_root, "fold_1", split_dir="lists"),
    ):
        assert [dataset.sample_id(i) for i in range(2)] == ["a/scan_03", "b/scan_02"]
    with pytest.raises(DatasetError, match=r"no list for split 'fold_2'.*or choose one of fold_1"):
        FolderDataset(folder_root, "fold_2", split_dir="lists")


def test_split_named_folders(folder_root, tmp_path):
    root = tmp_path / "by_split"
    for split in ("train", "val"):
        save(root / "img" / split / f"{split}.png", IMAGE)
        save(root / "ann" / split / f"{split}.png", MASK)
    names = {"image_dir": "img/{split}", "mask_dir": "ann/{split}", "classes": ["a", "b"]}
    assert FolderDataset(root, "val", **names).sample_id(0) == "val"
    with pytest.raises(DatasetError, match=r"img/test: folder not found"):
        FolderDataset(root, "test", **names)


def test_instance_maps(folder_root):
    plain = FolderDataset(folder_root, "train")
    assert not plain.has_instances(0)
    with pytest.raises(DatasetError, match=r"scan_00.png: there is no instance map.*instance_dir"):
        plain.load_instances(0)
    for index in range(len(plain)):
        path = folder_root / "objects" / f"{plain.sample_id(index)}_objects.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((48, 64), 300 + index, np.uint16)).save(path)
    names = {"instance_dir": "objects", "instance_suffix": "_objects.png"}
    dataset = pickle.loads(pickle.dumps(FolderDataset(folder_root, "train", **names)))
    assert all(dataset.has_instances(i) for i in range(8))
    assert (dataset.load_instances(3) == 303).all()
    assert set(dataset[3]) == {"image", "mask", "sample_id"}
    with pytest.raises(DatasetError, match="4 problems") as raised:
        FolderDataset(folder_root, "val", **names)
    assert "scan_08_objects.png: instance map missing; add it" in str(raised.value)
    with pytest.raises(DatasetError, match="instances: folder not found"):
        FolderDataset(folder_root, "val", instance_dir="instances")


def test_masks_beside_images_with_suffixes(tmp_path):
    save(tmp_path / "p1/x.png", IMAGE)
    save(tmp_path / "p1/x_mask.png", MASK)
    save(tmp_path / "p1/.hidden.png", IMAGE)
    dataset = FolderDataset(
        tmp_path, image_dir=".", mask_dir=".", mask_suffix="_mask.png", classes=["a", "b"]
    )
    assert len(dataset) == 1
    assert dataset.sample_id(0) == "p1/x"
    assert (dataset.load_mask(0) == MASK).all()


def test_class_file_with_colours_is_the_colour_table_of_rgb_masks(tmp_path):
    (tmp_path / "classes.txt").write_text(
        "# comment\ntraffic light, 250, 170, 30\nroad 128 64 128\n"
    )
    save(tmp_path / "images/x.png", IMAGE)
    colors = np.array([[250, 170, 30], [128, 64, 128]])
    save(tmp_path / "masks/x.png", colors[(MASK == 1).astype(int)])
    dataset = FolderDataset(tmp_path, mask_format="rgb")
    assert dataset.metainfo["classes"] == ("traffic light", "road")
    assert dataset.metainfo["palette"] == ((250, 170, 30), (128, 64, 128))
    assert (dataset[0]["mask"] == (MASK == 1)).all()


def test_all_missing_partners_are_collected(folder_root):
    for name in ("a/scan_01", "a/scan_03", "b/scan_04"):
        (folder_root / "masks" / f"{name}.png").unlink()
    for name in ("b/scan_00", "b/scan_02", "b/scan_06", "b/scan_04"):
        (folder_root / "images" / f"{name}.png").unlink()
    with pytest.raises(DatasetError) as raised:
        FolderDataset(folder_root, "train")
    problems = raised.value.problems
    assert isinstance(raised.value, DataError)
    assert len(problems) == 7
    assert sum(p.what == "mask missing" for p in problems) == 3
    assert all("train.txt" in p.remedy for p in problems)
    assert "7 problems" in str(raised.value)
    assert str(raised.value).count("\n") == 6
    assert str(raised.value).endswith("... and 2 more")
    with pytest.raises(DatasetError) as raised:
        FolderDataset(folder_root)
    assert sorted(p.what.split(" for ")[0] for p in raised.value.problems) == sorted(
        ["mask missing"] * 2 + ["image missing"] * 3
    )


def test_a_line_break_in_a_folders_name_is_shown_as_an_escape(folder_root):
    root = folder_root.rename(folder_root.with_name("my\ndata"))
    for name in ("a/scan_01", "a/scan_03"):
        (root / "masks" / f"{name}.png").unlink()
    with pytest.raises(DatasetError, match=r"my\\ndata/train.txt: 2 problems") as raised:
        FolderDataset(root, "train")
    assert str(raised.value).count("\n") == 2  # one line a problem


@pytest.mark.parametrize("folder", ["", "images", "masks"])
def test_missing_folder(folder_root, folder):
    path = folder_root / folder
    os.rename(path, path.with_name("away"))
    with pytest.raises(DatasetError, match=rf"{path.name}: folder not found; "):
        FolderDataset(folder_root, "train")


@pytest.mark.parametrize(
    ("content", "words"),
    [("\n \n", "split list is empty"), ("a/scan_01\na/scan_01\n", "'a/scan_01' more than once")],
)
def test_bad_split_list(folder_root, content, words):
    (folder_root / "train.txt").write_text(content)
    with pytest.raises(DatasetError, match=rf"train.txt: .*{words}"):
        FolderDataset(folder_root, "train")


def test_empty_folder_and_duplicate_ids(folder_root, tmp_path):
    (tmp_path / "empty/images").mkdir(parents=True)
    (tmp_path / "empty/masks").mkdir()
    with pytest.raises(DatasetError, match="holds no images"):
        FolderDataset(tmp_path / "empty", classes=["a"])
    save(folder_root / "images/a/scan_01.jpg", IMAGE)
    with pytest.raises(DatasetError, match=r"scan_01.png: has the same sample id 'a/scan_01'"):
        FolderDataset(folder_root, "train")
    assert len(FolderDataset(folder_root, "train", image_suffix=".png")) == 8


def test_mask_of_another_size(folder_root):
    path = folder_root / "masks/b/scan_00.png"
    save(path, np.zeros((48, 60)))
    with pytest.raises(DatasetError, match=r"scan_00.png: mask is 60x48, image .* 64x48; export"):
        FolderDataset(folder_root, "train")[0]
    save(path, np.zeros((64, 48)))
    with pytest.raises(DatasetError, match="EXIF"):
        FolderDataset(folder_root, "train")[0]


def test_both_damaged_files_of_a_sample_are_reported(folder_root):
    (folder_root / "images/b/scan_00.png").write_bytes(b"x")
    (folder_root / "masks/b/scan_00.png").write_bytes(b"x")
    with pytest.raises(DatasetError) as raised:
        FolderDataset(folder_root, "train")[0]
    assert [p.path.split("/")[-3] for p in raised.value.problems] == ["images", "masks"]


def test_an_error_survives_the_way_between_processes(folder_root):
    with pytest.raises(DatasetError) as raised:
        FolderDataset(folder_root / "none")
    copy = pickle.loads(pickle.dumps(raised.value))
    assert str(copy) == str(raised.value)
    assert copy.problems == raised.value.problems


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"classes": ["a", "a"]}, "class names repeat: a"),
        ({"classes": []}, "at least one name"),
        ({"palette": [(0, 0, 0)]}, "1 colours for 3 classes"),
        ({"palette": [(0, 0), (1, 1, 1), (2, 2, 2)]}, "three whole numbers"),
        ({"image_range": (5, 5)}, "low < high"),
        ({"color_table": {"#000000": 0}}, "no meaning"),
        ({"classes": [str(n) for n in range(70000)]}, "70000 classes: .* 65535 at most"),
        ({"instance_suffix": ".png"}, "is of the files in instance_dir, which is not given"),
        ({"split": None, "split_dir": "splits"}, "has the lists of splits, but no split is given"),
    ],
)
def test_arguments_without_meaning(folder_root, arguments, words):
    with pytest.raises(ConfigError, match=words):
        FolderDataset(folder_root, **{"split": "train", **arguments})
