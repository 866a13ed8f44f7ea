"""SBD becomes SegmentationClassAug and trainaug.txt."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from trees import tree

from segnoise import cli
from segnoise.datasets import PascalVOC
from segnoise.datasets.files.palettes import voc_palette

scipy_io = pytest.importorskip("scipy.io")


def load_tool():
    path = Path(__file__).parents[2] / "tools" / "convert_sbd.py"
    spec = importlib.util.spec_from_file_location("tools.convert_sbd", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


tool = load_tool()


def run(*arguments):
    # One process: the tool's functions are pickled by name, and here it has been loaded by path.
    return tool.main([*map(str, arguments), "--workers", "1"])


def listed(root):
    return (root / "ImageSets/Segmentation/trainaug.txt").read_text().split()


def test_list_and_masks(voc_root, sbd_root, capsys):
    assert run(sbd_root, voc_root) == 0
    # by hand: SBD's two VOC train images and four of its own, VOC's other train images; no val
    assert listed(voc_root) == [
        *(f"2007_{i:06d}" for i in range(1, 7)),
        *(f"2009_{i:06d}" for i in range(1, 5)),
    ]
    assert "10 images (10,582" in capsys.readouterr().out
    for name in listed(voc_root):
        picture = Image.open(voc_root / "SegmentationClassAug" / f"{name}.png")
        assert picture.mode == "P"
        assert tuple(picture.getpalette()[3:6]) == voc_palette(2)[1]
        ids = np.array(picture)
        if name.startswith("2007"):
            own = np.array(Image.open(voc_root / "SegmentationClass" / f"{name}.png"))
            assert (ids == own).all()
            assert (ids == 255).any()
        else:
            mat = scipy_io.loadmat(sbd_root / "dataset/cls" / f"{name}.mat")
            assert (ids == mat["GTcls"][0]["Segmentation"][0]).all()
    dataset = PascalVOC(voc_root, "trainaug")
    assert len(dataset) == 10
    assert all(dataset[i]["mask"].max() > 0 for i in range(10))


@pytest.mark.parametrize("root", ["benchmark_RELEASE", "benchmark_RELEASE/dataset", "."])
def test_roots(voc_root, sbd_root, tmp_path, root):
    assert run(tmp_path / root, voc_root.parents[1]) == 0


def test_existing_masks_are_kept_unless_overwritten(voc_root, sbd_root):
    assert run(sbd_root, voc_root) == 0
    path = voc_root / "SegmentationClassAug/2009_000001.png"
    good = path.read_bytes()
    path.write_bytes(b"mine")
    assert run(sbd_root, voc_root) == 0
    assert path.read_bytes() == b"mine"
    assert run(sbd_root, voc_root, "--overwrite") == 0
    assert path.read_bytes() == good


def test_an_interrupted_run_goes_on(voc_root, sbd_root, monkeypatch):
    convert = tool.convert_mask
    calls = []

    def stop_at_fourth(*args, **kwargs):
        calls.append(args)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return convert(*args, **kwargs)

    monkeypatch.setattr(tool, "convert_mask", stop_at_fourth)
    assert run(sbd_root, voc_root) == 130
    assert not (voc_root / "ImageSets/Segmentation/trainaug.txt").exists()
    assert len(list((voc_root / "SegmentationClassAug").iterdir())) == 3
    monkeypatch.setattr(tool, "convert_mask", convert)
    assert run(sbd_root, voc_root) == 0
    assert len(list((voc_root / "SegmentationClassAug").iterdir())) == 10


def test_another_list_is_not_replaced(voc_root, sbd_root, capsys):
    target = voc_root / "ImageSets/Segmentation/trainaug.txt"
    target.write_text("2007_000001\n")
    assert run(sbd_root, voc_root) == 2
    assert "exists with other ids; give --overwrite" in capsys.readouterr().err
    assert target.read_text() == "2007_000001\n"
    assert not (voc_root / "SegmentationClassAug").exists()
    assert run(sbd_root, voc_root, "--overwrite") == 0
    assert len(listed(voc_root)) == 10


def map_of(mask):
    return lambda path: scipy_io.savemat(path, {"GTcls": {"Segmentation": mask}})


MAT = "dataset/cls/2009_000001.mat"
DAMAGES = [  # a file of SBD, or of VOC, what happens to it, and what is said
    (MAT, lambda path: path.write_bytes(path.read_bytes()[:100]), "000001.mat: no SBD class file"),
    (MAT, Path.unlink, "2009_000001.mat: file not found"),
    (MAT, map_of(np.full((48, 64), 21, np.uint8)), "000001.mat: no (H, W) map of labels 0..20"),
    (MAT, map_of(np.zeros((5, 5), np.uint8)), "2009_000001.mat: mask has shape (5, 5), its image"),
    ("JPEGImages/2009_000001.jpg", Path.unlink, "2009_000001.jpg: file not found"),
    ("dataset/val.txt", Path.unlink, "val.txt: split list not found"),
    ("dataset/cls", lambda path: path.rename(path.with_name("away")), "no SBD here: looked for"),
]


@pytest.mark.parametrize(("name", "damage", "words"), DAMAGES)
def test_bad_input_is_one_line_and_writes_no_list(voc_root, sbd_root, capsys, name, damage, words):
    damage((voc_root if name.startswith("JPEG") else sbd_root) / name)
    assert run(sbd_root, voc_root) == 2
    error = next(x for x in capsys.readouterr().err.splitlines() if x.startswith("error: "))
    assert words in error
    assert not (voc_root / "ImageSets/Segmentation/trainaug.txt").exists()


def test_a_link_to_the_own_masks_is_refused(voc_root, sbd_root, capsys):
    (voc_root / "SegmentationClassAug").symlink_to("SegmentationClass")
    before = tree(voc_root / "SegmentationClass")
    assert run(sbd_root, voc_root, "--overwrite") == 2
    assert "SegmentationClassAug: is a link to VOC's own masks" in capsys.readouterr().err
    assert tree(voc_root / "SegmentationClass") == before


def test_processes_write_the_same_files(voc_root, sbd_root):
    assert cli.main(["convert_sbd", str(sbd_root), str(voc_root), "--workers", "2"]) == 0
    files = tree(voc_root / "SegmentationClassAug")
    assert len(files) == len(listed(voc_root)) == 10
    assert run(sbd_root, voc_root, "--overwrite") == 0
    again = tree(voc_root / "SegmentationClassAug")
    assert again == files
