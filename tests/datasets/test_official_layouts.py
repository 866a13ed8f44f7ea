"""PASCAL VOC, Cityscapes and CamVid as they are downloaded."""

import os
import shutil

import numpy as np
import pytest
from PIL import Image

from segnoise.datasets import CamVid, Cityscapes, DatasetError, FolderDataset, PascalVOC
from segnoise.datasets.cityscapes import CLASSES, LABEL_IDS
from segnoise.datasets.files.palettes import voc_palette
from segnoise.errors import ConfigError


def test_voc(voc_root):
    for split, count in (("train", 6), ("val", 4), ("trainval", 10)):
        assert len(PascalVOC(voc_root, split)) == count
    for root in (voc_root, voc_root.parent, voc_root.parents[1]):
        dataset = PascalVOC(root, "train")
        assert len(dataset.metainfo["classes"]) == len(dataset.metainfo["palette"]) == 21
        sample = dataset[0]
        stored = np.array(Image.open(dataset.paths(0)[1]))
        assert (sample["mask"] == stored).all()
        assert {0, 15, 255} <= set(np.unique(stored))
        assert sample["image"].shape[:2] == sample["mask"].shape


def test_voc_palette_is_the_devkits():
    """The devkit's loop, written out: bit j of the id's triples is bit 7 - j of the channel."""
    palette = voc_palette(256)
    assert palette[:5] == ((0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0), (0, 0, 128))
    assert palette[20] == (0, 64, 128)
    assert palette[255] == (224, 224, 192)
    assert len(set(palette)) == 256


def test_voc_trainaug_prefers_vocs_own_masks(voc_root):
    lists = voc_root / "ImageSets/Segmentation"
    (lists / "trainaug.txt").write_text("2007_000001\n2009_000001\n")
    aug = voc_root / "SegmentationClassAug"
    with pytest.raises(DatasetError, match=r"SegmentationClassAug: .*convert_sbd.py"):
        PascalVOC(voc_root, "trainaug")
    aug.mkdir()
    for name in ("2007_000001", "2009_000001"):
        Image.fromarray(np.zeros((9, 9), np.uint8)).save(aug / f"{name}.png")
    dataset = PascalVOC(voc_root, "trainaug")
    assert dataset.paths(0)[1].parent.name == "SegmentationClass"
    assert dataset.paths(1)[1].parent.name == "SegmentationClassAug"


def test_voc_instances(voc_root):
    stored = Image.fromarray(np.array([[0, 1, 2, 255]], np.uint8))
    stored.putpalette([5] * 768)
    stored.save(voc_root / "SegmentationObject/2007_000002.png")
    dataset = PascalVOC(voc_root, "train")
    assert [dataset.has_instances(i) for i in range(3)] == [False, True, False]
    assert dataset.load_instances(1).tolist() == [[0, 1, 2, 0]]
    shutil.rmtree(voc_root / "SegmentationObject")
    with pytest.raises(DatasetError, match=r"2007_000002.png: there is no instance map"):
        PascalVOC(voc_root, "train").load_instances(1)


def test_voc_errors(voc_root, tmp_path):
    with pytest.raises(DatasetError, match=r"trainaug.txt: .*tools/convert_sbd.py"):
        PascalVOC(voc_root, "trainaug")
    with pytest.raises(DatasetError, match=r"test.txt: .*choose a split: train, trainval, val"):
        PascalVOC(voc_root, "test")
    (tmp_path / "other").mkdir()
    with pytest.raises(DatasetError, match=r"looked for .*; give the folder VOCdevkit/VOC2012 of"):
        PascalVOC(tmp_path / "other")
    (voc_root / "SegmentationClass/2007_000003.png").unlink()
    with pytest.raises(DatasetError, match=r"2007_000003.png: mask missing; .*train.txt"):
        PascalVOC(voc_root, "train")
    Image.fromarray(np.full((4, 4), 37, np.uint8)).save(
        voc_root / "SegmentationClass/2007_000003.png"
    )
    with pytest.raises(DatasetError, match=r"label 37 at row 0, column 0 in a 21-class set; fetch"):
        PascalVOC(voc_root, "train").load_mask(2)


def test_cityscapes_maps_label_ids(cityscapes_root):
    dataset = Cityscapes(cityscapes_root, "train")
    assert (len(dataset), len(Cityscapes(cityscapes_root, "val"))) == (8, 4)
    # trainIds by hand for the labelIds that the miniature holds: road, car, person, sky,
    # ego vehicle (void), bicycle
    by_hand = {7: 0, 26: 13, 24: 11, 23: 10, 1: 255, 33: 18}
    for index in range(8):
        stored = np.array(Image.open(dataset.paths(index)[1]))
        expected = [[by_hand[int(v)] for v in row] for row in stored]
        assert dataset[index]["mask"].tolist() == expected
    assert dataset.sample_id(0).split("/") == [
        dataset.paths(0)[0].parent.name,
        dataset.paths(0)[0].name.removesuffix("_leftImg8bit.png"),
    ]


def test_cityscapes_instances(cityscapes_root):
    dataset = Cityscapes(cityscapes_root, "train")
    path = dataset.paths(0)[1]
    instances = path.with_name(path.name.replace("labelIds", "instanceIds"))
    stored = np.array([[7, 26, 999, 1000], [26000, 26001, 33012, 24000]], np.uint16)
    Image.fromarray(stored).save(instances)
    found = dataset.load_instances(0)
    assert found.tolist() == [[0, 0, 0, 1000], [26000, 26001, 33012, 24000]]
    instances.unlink()
    with pytest.raises(DatasetError, match=r"instanceIds.png: file not found"):
        dataset.load_instances(0)
    dataset = Cityscapes(cityscapes_root, "train")
    assert [dataset.has_instances(i) for i in range(3)] == [False, True, True]
    with pytest.raises(DatasetError, match=r"labelIds.png: there is no instance map.*unpack"):
        dataset.load_instances(0)


def test_cityscapes_class_table():
    """Names in the order of training ids, from the benchmark's own list."""
    names = [
        "road", "sidewalk", "building", "wall", "fence", "pole", "traffic light", "traffic sign",
        "vegetation", "terrain", "sky", "person", "rider", "car", "truck", "bus", "train",
        "motorcycle", "bicycle",
    ]  # fmt: skip
    assert list(CLASSES) == names
    train_ids = [7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33]
    assert [LABEL_IDS[i] for i in train_ids] == list(range(19))
    assert sorted(i for i, t in LABEL_IDS.items() if t == 255) == sorted(
        {*range(34), 255} - set(train_ids)
    )


def test_cityscapes_train_ids(cityscapes_root):
    clean = Cityscapes(cityscapes_root, "val")
    for index in range(len(clean)):
        path = clean.paths(index)[1]
        Image.fromarray(clean.load_mask(index)).save(
            str(path).replace("_labelIds", "_labelTrainIds")
        )
    again = Cityscapes(cityscapes_root, "val", labels="labelTrainIds")
    assert all((again.load_mask(i) == clean.load_mask(i)).all() for i in range(len(clean)))
    for index in range(len(clean)):
        clean.paths(index)[1].unlink()
    with pytest.raises(DatasetError, match=r"use labels='labelTrainIds'"):
        Cityscapes(cityscapes_root, "val")
    assert len(Cityscapes(cityscapes_root, "val", labels="labelTrainIds")) == 4


def test_cityscapes_errors(cityscapes_root):
    with pytest.raises(ConfigError, match="dummies"):
        Cityscapes(cityscapes_root, "test")
    with pytest.raises(ConfigError, match="split must be 'train' or 'val', not 'training'"):
        Cityscapes(cityscapes_root, "training")
    with pytest.raises(ConfigError, match="'labelIds' or 'labelTrainIds'"):
        Cityscapes(cityscapes_root, "val", labels="ids")
    with pytest.raises(DatasetError, match=r"use labels='labelIds'"):
        Cityscapes(cityscapes_root, "val", labels="labelTrainIds")
    dataset = Cityscapes(cityscapes_root, "train")
    Image.fromarray(np.full((64, 128), 40, np.uint8)).save(dataset.paths(0)[1])
    with pytest.raises(
        DatasetError, match=r"value 40 at row 0, column 0.*check that it holds labelIds"
    ):
        dataset.load_mask(0)
    dataset.paths(1)[1].unlink()
    dataset.paths(5)[0].unlink()
    with pytest.raises(DatasetError) as raised:
        Cityscapes(cityscapes_root, "train")
    assert [p.what.split(" for ")[0] for p in raised.value.problems] == [
        "mask missing",
        "image missing",
    ]
    shutil.rmtree(cityscapes_root / "gtFine")
    with pytest.raises(DatasetError, match=r"gtFine/train: folder not found; unpack"):
        Cityscapes(cityscapes_root, "train")


def test_camvid_in_both_layouts(tmp_path):
    mask = np.array([[0, 10, 11]], np.uint8)
    segnet, voc = tmp_path / "segnet", tmp_path / "voc"
    for folder in (
        segnet / "train", segnet / "trainannot", voc / "JPEGImages", voc / "SegmentationClass",
        voc / "ImageSets/Segmentation",
    ):  # fmt: skip
        folder.mkdir(parents=True)
    Image.fromarray(mask).save(segnet / "train/x.png")
    Image.fromarray(mask).save(segnet / "trainannot/x.png")
    Image.fromarray(mask).save(voc / "JPEGImages/x.jpg")
    Image.fromarray(np.where(mask == 11, 255, mask).astype(np.uint8)).save(
        voc / "SegmentationClass/x.png"
    )
    (voc / "ImageSets/Segmentation/train.txt").write_text("x\n")
    for root in (segnet, voc):
        dataset = CamVid(root, "train")
        assert dataset[0]["mask"].tolist() == [[0, 10, 255]]
        assert len(dataset.metainfo["classes"]) == 11
    with pytest.raises(DatasetError, match="split 'val'"):
        CamVid(voc, "val")


@pytest.mark.skipif("SEGNOISE_CAMVID" not in os.environ, reason="SEGNOISE_CAMVID not set")
def test_the_real_camvid():
    root = os.environ["SEGNOISE_CAMVID"]
    assert [len(CamVid(root, s)) for s in ("train", "val", "test")] == [367, 101, 233]
    generic = FolderDataset(root, "val", image_dir="JPEGImages", mask_dir="SegmentationClass")
    assert generic.metainfo["classes"] == CamVid(root, "val").metainfo["classes"]
    assert (generic[0]["mask"] == CamVid(root, "val")[0]["mask"]).all()
