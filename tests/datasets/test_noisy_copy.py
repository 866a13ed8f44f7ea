"""Noisy masks as files: written, resumed, verified, and read as NoisyLabels gives them."""

import errno
import json
import shutil
from functools import partial
from hashlib import sha256

import numpy as np
import pytest
from PIL import Image
from trees import tree

from segnoise.datasets import (
    CamVid,
    Cityscapes,
    DatasetError,
    FolderDataset,
    NoisyCopy,
    NoisyLabels,
    PascalVOC,
    Phantoms,
    verify_noisy_copy,
    write_noisy_copy,
)
from segnoise.datasets.base import SampleFiles, SegmentationDataset
from segnoise.datasets.files.masks import MaskReader
from segnoise.datasets.labels import copy_writer
from segnoise.errors import ConfigError
from segnoise.inspection import check_dataset
from segnoise.lock import LOCK, locked
from segnoise.noise import BoundaryErosion, Compose, NoiseReport, SymmetricFlip, generator
from segnoise.parallel import map_chunks

FLIP = {"type": "SymmetricFlip", "rate": 0.3}
BORROWING = {"type": "SpuriousObjects", "count": 2}
VOIDING = {"type": "BoundaryErosion", "width": 1, "fill": "void"}


@pytest.fixture(autouse=True)
def _one_file_a_chunk(monkeypatch):
    monkeypatch.setattr(copy_writer, "_CHUNK", 1)


@pytest.fixture
def voc(voc_root):
    return PascalVOC(voc_root, "train")


@pytest.fixture
def camvid_root(tmp_path):
    """SegNet's tree, where 11 is void."""
    root = tmp_path / "camvid"
    for folder in ("train", "trainannot"):
        (root / folder).mkdir(parents=True)
    for number in range(3):
        rng = np.random.default_rng(number)
        mask = np.kron(rng.integers(0, 12, (4, 5)), np.ones((4, 4))).astype(np.uint8)
        Image.fromarray(mask).save(root / "trainannot" / f"{number}.png")
        Image.fromarray(np.dstack([mask * 20] * 3)).save(root / "train" / f"{number}.png")
    return root


def stop_after(count):
    """A mapper that is killed after some files."""

    def mapper(work, shared, chunks):
        for number, chunk in enumerate(chunks):
            if number == count:
                raise KeyboardInterrupt
            yield work(shared, chunk)

    return mapper


def same(copied, noisy):
    assert len(copied) == len(noisy)
    assert copied.metainfo == noisy.metainfo
    for index in range(len(noisy)):
        ours, theirs = copied[index], noisy[index]
        assert set(ours) == set(theirs) == {"image", "mask", "clean_mask", "sample_id"}
        assert ours["sample_id"] == theirs["sample_id"] == copied.sample_id(index)
        for key in ("image", "mask", "clean_mask"):
            assert ours[key].dtype == theirs[key].dtype
            np.testing.assert_array_equal(ours[key], theirs[key])
        np.testing.assert_array_equal(copied.load_mask(index), theirs["mask"])
        np.testing.assert_array_equal(copied.load_masks(index)[0], theirs["clean_mask"])
        assert copied.paths(index) == noisy.paths(index)


@pytest.mark.parametrize("noise", [FLIP, VOIDING, BORROWING], ids=["flip", "void", "borrowing"])
@pytest.mark.parametrize("name", ["voc", "cityscapes", "camvid", "folder", "phantoms"])
def test_the_copy_of_every_layout_reads_as_the_noise_does(request, tmp_path, name, noise):
    root = tmp_path if name == "phantoms" else request.getfixturevalue(f"{name}_root")
    dataset, first = {
        "voc": lambda: (PascalVOC(root), "SegmentationClass/2007_000001.png"),
        "cityscapes": lambda: (
            Cityscapes(root),
            "gtFine/train/aachen/aachen_000000_000019_gtFine_labelIds.png",
        ),
        "camvid": lambda: (CamVid(root), "trainannot/0.png"),
        "folder": lambda: (FolderDataset(root, "train"), "masks/b/scan_00.png"),
        "phantoms": lambda: (Phantoms(root, num_images=3, size=40), "masks/train_0000.png"),
    }[name]()
    noisy = NoisyLabels(dataset, noise, seed=5)
    manifest, written = write_noisy_copy(noisy, tmp_path / "copy")
    assert written == len(dataset)
    assert manifest.files[0].path == first
    assert {record.path for record in manifest.files} == set(tree(tmp_path / "copy")) - {
        "manifest.json"
    }
    same(NoisyCopy(dataset, tmp_path / "copy"), noisy)
    assert verify_noisy_copy(tmp_path / "copy") == []
    assert verify_noisy_copy(tmp_path / "copy", noisy) == []


def test_files_keep_what_the_noise_does_not_touch(cityscapes_root, tmp_path):
    dataset = Cityscapes(cityscapes_root)
    noisy = NoisyLabels(dataset, VOIDING)
    write_noisy_copy(noisy, tmp_path / "copy")
    kinds = set()
    for index in range(len(dataset)):
        source = dataset.paths(index)[1]
        before = np.array(Image.open(source))
        after = np.array(Image.open(tmp_path / "copy" / source.relative_to(cityscapes_root)))
        clean, mask = noisy.load_masks(index)
        assert (before == after)[clean == mask].all()
        kinds |= set(np.unique(after[clean != mask]))
    assert kinds == {0}, "what becomes void is unlabeled, the first of Cityscapes' void ids"


def test_void_in_camvid_is_the_number_of_its_layout(camvid_root, tmp_path):
    write_noisy_copy(NoisyLabels(CamVid(camvid_root), VOIDING), tmp_path / "copy")
    values = {int(v) for p in (tmp_path / "copy").rglob("*.png") for v in np.unique(Image.open(p))}
    assert 11 in values
    assert 255 not in values


def test_manifest_equals_an_independent_count(voc, voc_root, tmp_path):
    noise = Compose([BoundaryErosion(1), SymmetricFlip(0.3, 21)])
    manifest, _ = write_noisy_copy(NoisyLabels(voc, noise, seed=7), tmp_path / "copy")
    stored = json.loads((tmp_path / "copy" / "manifest.json").read_text())
    assert stored["noise"] == noise.to_dict()
    assert stored["seed"] == 7
    assert stored["source"] == str(voc_root)
    assert stored["dataset"]["type"] == "PascalVOC"
    assert stored["dataset"]["samples"] == 6
    assert stored["dataset"]["classes"] == list(voc.metainfo["classes"])
    assert set(stored["versions"]) == {"segnoise", "numpy", "opencv", "python"}
    total = np.zeros((21, 21), int)
    assert len(stored["files"]) == 6
    for index, entry in enumerate(stored["files"]):
        clean_file = voc_root / "SegmentationClass" / f"{voc.sample_id(index)}.png"
        noisy_file = tmp_path / "copy" / entry["path"]
        clean, noisy = (np.array(Image.open(path)) for path in (clean_file, noisy_file))
        valid = [(c, n) for c, n in zip(clean.flat, noisy.flat, strict=True) if c != 255]
        changed = sum(c != n for c, n in valid)
        for pair in valid:
            total[pair] += 1
        assert entry["valid"] == len(valid)
        assert entry["changed"] == changed
        assert entry["pixel_rate"] == changed / len(valid)
        assert entry["clean_sha256"] == sha256(clean_file.read_bytes()).hexdigest()
        assert entry["noisy_sha256"] == sha256(noisy_file.read_bytes()).hexdigest()
        assert (noise(clean, generator(*entry["seed_key"])) == noisy).all()
    assert stored["report"]["confusion"] == total.tolist()
    assert stored["report"]["pixel_rate"] == (total.sum() - total.trace()) / total.sum()
    assert stored["report"] == manifest.report


@pytest.mark.parametrize("noise", [FLIP, BORROWING], ids=["flip", "borrowing"])
@pytest.mark.parametrize("workers", [1, 2])
def test_the_number_of_processes_plays_no_part(voc, tmp_path, workers, noise):
    noisy = NoisyLabels(voc, noise)
    write_noisy_copy(noisy, tmp_path / "one")
    write_noisy_copy(noisy, tmp_path / "more", mapper=partial(map_chunks, workers=workers))
    assert tree(tmp_path / "one") == tree(tmp_path / "more")
    assert verify_noisy_copy(tmp_path / "more", mapper=partial(map_chunks, workers=workers)) == []


def test_bit_depths_value_maps_and_colours(tmp_path):
    for folder in ("images", "deep", "black", "rgb"):
        (tmp_path / "data" / folder).mkdir(parents=True)
    ids = np.kron(np.random.default_rng(0).integers(0, 2, (5, 6)), np.ones((4, 4), int))
    deep, black = (ids * 299).astype(np.uint16), (ids * 255).astype(np.uint8)
    colors = np.array([(9, 9, 9), (200, 0, 7)], np.uint8)
    Image.fromarray(black).save(tmp_path / "data/images/a.png")
    Image.fromarray(deep).save(tmp_path / "data/deep/a.png")
    Image.fromarray(black).save(tmp_path / "data/black/a.png")
    Image.fromarray(colors[ids]).save(tmp_path / "data/rgb/a.png")
    names = [f"class {i}" for i in range(300)]
    options = {
        "deep": {"classes": names, "ignore_index": 65535},
        "black": {"classes": names[:2], "value_map": {0: 0, 255: 1}},
        "rgb": {"classes": names[:2], "palette": colors.tolist(), "mask_format": "rgb"},
    }
    modes = {"deep": "I;16", "black": "L", "rgb": "RGB"}
    for name, arguments in options.items():
        dataset = FolderDataset(tmp_path / "data", mask_dir=name, **arguments)
        noisy = NoisyLabels(dataset, FLIP)
        write_noisy_copy(noisy, tmp_path / "copy" / name)
        same(NoisyCopy(dataset, tmp_path / "copy" / name), noisy)
        assert verify_noisy_copy(tmp_path / "copy" / name) == []
        after = Image.open(tmp_path / "copy" / name / name / "a.png")
        assert after.mode == modes[name]
        if name == "black":
            assert set(np.unique(after)) == {0, 255}
        if name == "rgb":
            found = {tuple(color) for row in np.array(after).tolist() for color in row}
            assert found == {(9, 9, 9), (200, 0, 7)}


@pytest.mark.parametrize("stop", [0, 1, 4])
def test_an_interrupted_copy_goes_on_and_ends_the_same(voc, tmp_path, stop):
    noisy, folder = NoisyLabels(voc, FLIP), tmp_path / "copy"
    write_noisy_copy(noisy, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        write_noisy_copy(noisy, folder, mapper=stop_after(stop))
    assert not (folder / "manifest.json").exists()
    (folder / ".unfinished" / ".segnoise-a1b2c3d4.png").write_bytes(b"what a kill leaves")
    with (folder / ".unfinished" / "journal.jsonl").open("a") as journal:
        journal.write('{"record": {"path": "Segm')
    with pytest.raises(DatasetError, match="not finished; run the same `segnoise corrupt` again"):
        NoisyCopy(voc, folder)
    with pytest.raises(DatasetError, match="not finished"):
        verify_noisy_copy(folder)
    with pytest.raises(KeyboardInterrupt):
        write_noisy_copy(noisy, folder, mapper=stop_after(1))
    assert write_noisy_copy(noisy, folder)[1] == 6 - stop - 1
    assert tree(folder) == tree(tmp_path / "whole")


@pytest.mark.parametrize(("noise", "again"), [(FLIP, 5), (BORROWING, 6)])
def test_what_changed_meanwhile_is_written_again(voc, voc_root, tmp_path, noise, again):
    noisy, folder = NoisyLabels(voc, noise), tmp_path / "copy"
    with pytest.raises(KeyboardInterrupt):
        write_noisy_copy(noisy, folder, mapper=stop_after(4))
    (folder / "SegmentationClass" / "2007_000001.png").unlink()
    (folder / "SegmentationClass" / "2007_000002.png").write_bytes(b"damaged")
    source = voc_root / "SegmentationClass" / "2007_000003.png"
    picture = Image.open(source)
    picture.putpixel((0, 0), 7)
    picture.save(source)
    assert write_noisy_copy(noisy, folder)[1] == again
    write_noisy_copy(noisy, tmp_path / "whole")
    assert tree(folder) == tree(tmp_path / "whole")


def test_a_finished_copy_is_left_alone(voc, tmp_path):
    noisy, folder = NoisyLabels(voc, FLIP), tmp_path / "copy"
    first, _ = write_noisy_copy(noisy, folder)
    times = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    again, written = write_noisy_copy(noisy, folder)
    assert written == 0
    assert again == first
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == times
    victim = folder / first.files[2].path
    victim.write_bytes(b"mine now")
    with pytest.raises(DatasetError, match=r"2007_000003.png: noisy mask has changed"):
        write_noisy_copy(noisy, folder)
    assert victim.read_bytes() == b"mine now"
    assert write_noisy_copy(noisy, folder, overwrite=True)[1] == 6
    assert verify_noisy_copy(folder, noisy) == []


OTHERS = {
    "noise": (
        lambda voc: NoisyLabels(voc, VOIDING),
        r"noise \(there .*SymmetricFlip.*here .*Bound",
    ),
    "rate": (lambda voc: NoisyLabels(voc, {**FLIP, "rate": 0.4}), r"noise \(there .*0.3.*0.4"),
    "seed": (lambda voc: NoisyLabels(voc, FLIP, seed=1), r"seed \(there 0, here 1\)"),
    "data": (
        lambda voc: NoisyLabels(PascalVOC(voc.paths(0)[0].parents[1], "trainval"), FLIP),
        r"dataset.samples \(there 6, here 10\)",
    ),
}


@pytest.mark.parametrize("finished", [True, False])
@pytest.mark.parametrize("name", OTHERS)
def test_another_copy_is_replaced_only_when_told_to(voc, tmp_path, name, finished):
    make, words = OTHERS[name]
    other, folder = make(voc), tmp_path / "copy"
    if finished:
        write_noisy_copy(NoisyLabels(voc, FLIP), folder)
    else:
        with pytest.raises(KeyboardInterrupt):
            write_noisy_copy(NoisyLabels(voc, FLIP), folder, mapper=stop_after(3))
    before = tree(folder)
    with pytest.raises(ConfigError, match=words + r".*--overwrite"):
        write_noisy_copy(other, folder)
    assert tree(folder) == before
    with pytest.raises(KeyboardInterrupt):
        write_noisy_copy(other, folder, overwrite=True, mapper=stop_after(2))
    assert write_noisy_copy(other, folder, overwrite=True)[1] == len(other) - 2
    write_noisy_copy(other, tmp_path / "whole")
    assert tree(folder) == tree(tmp_path / "whole")


def test_files_of_the_replaced_copy_go(voc, voc_root, tmp_path):
    larger = NoisyLabels(PascalVOC(voc_root, "trainval"), FLIP)
    folder = tmp_path / "copy"
    write_noisy_copy(larger, folder)
    (folder / "notes.txt").write_text("mine")
    write_noisy_copy(NoisyLabels(voc, FLIP), folder, overwrite=True)
    assert len(list(folder.rglob("*.png"))) == 6
    assert [problem.path for problem in verify_noisy_copy(folder)] == [str(folder / "notes.txt")]


def test_an_unfinished_copy_of_other_versions_is_not_mixed(voc, tmp_path, monkeypatch):
    noisy, folder = NoisyLabels(voc, FLIP), tmp_path / "copy"
    with pytest.raises(KeyboardInterrupt):
        write_noisy_copy(noisy, folder, mapper=stop_after(3))
    monkeypatch.setattr(np, "__version__", "9.9")
    with pytest.raises(ConfigError, match=r'versions.numpy \(there ".*", here "9.9"\)'):
        write_noisy_copy(noisy, folder)


def test_places_that_are_refused(voc, voc_root, tmp_path):
    noisy = NoisyLabels(voc, FLIP)
    before = tree(voc_root)
    for place in (
        voc_root,
        voc_root / "SegmentationClass",
        voc_root / "SegmentationClass" / "noisy",
        voc_root / "JPEGImages" / "noisy",
        voc_root / "x" / "..",
    ):
        with pytest.raises(ConfigError, match=r"the data set.s files in"):
            write_noisy_copy(noisy, place, overwrite=True)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("all of it")
    with pytest.raises(ConfigError, match=r"holds 'thesis\.txt', which segnoise has not put"):
        write_noisy_copy(noisy, tmp_path / "full", overwrite=True)
    with pytest.raises(ConfigError, match="is a file"):
        write_noisy_copy(noisy, tmp_path / "full" / "thesis.txt")
    assert tree(voc_root) == before
    (tmp_path / "empty").mkdir()
    write_noisy_copy(noisy, tmp_path / "empty")
    write_noisy_copy(noisy, voc_root / "noisy")


def test_images_and_masks_in_one_folder(tmp_path):
    root = tmp_path / "data"
    root.mkdir()
    for name in "ab":
        mask = np.kron(np.eye(4, dtype=np.uint8), np.ones((3, 3), np.uint8))
        Image.fromarray(mask).save(root / f"{name}_mask.png")
        Image.fromarray(mask * 200).save(root / f"{name}.png")
    arguments = {"image_dir": ".", "mask_dir": ".", "mask_suffix": "_mask.png"}
    dataset = FolderDataset(root, classes=["no", "yes"], **arguments)
    noisy = NoisyLabels(dataset, FLIP)
    with pytest.raises(ConfigError, match=r"among the data set.s files"):
        write_noisy_copy(noisy, root / "noisy")
    write_noisy_copy(noisy, tmp_path / "copy")
    assert set(tree(tmp_path / "copy")) == {"a_mask.png", "b_mask.png", "manifest.json"}


def test_problems_are_collected_and_what_works_is_kept(voc, voc_root, tmp_path):
    noisy, folder = NoisyLabels(voc, FLIP), tmp_path / "copy"
    masks = voc_root / "SegmentationClass"
    good = {name: (masks / f"2007_00000{name}.png").read_bytes() for name in (2, 4, 5)}
    (masks / "2007_000002.png").write_bytes(good[2][:60])
    (masks / "2007_000004.png").unlink()
    Image.fromarray(np.full((9, 9), 77, np.uint8)).save(masks / "2007_000005.png")
    with pytest.raises(DatasetError) as raised:
        write_noisy_copy(noisy, folder)
    assert [problem.path[-15:] for problem in raised.value.problems] == [
        "2007_000002.png", "2007_000004.png", "2007_000005.png",
    ]  # fmt: skip
    assert "is not finished" in str(raised.value)
    for name, content in good.items():
        (masks / f"2007_00000{name}.png").write_bytes(content)
    assert write_noisy_copy(noisy, folder)[1] == 3
    write_noisy_copy(noisy, tmp_path / "whole")
    assert tree(folder) == tree(tmp_path / "whole")


def test_noise_that_the_files_cannot_hold(tmp_path):
    root = tmp_path / "data"
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True)
        Image.fromarray(np.eye(9, dtype=np.uint8) * 255).save(root / folder / "a.png")
    dataset = FolderDataset(root, classes=["no", "yes"], value_map={0: 0, 255: 1})
    with pytest.raises(DatasetError, match="value_map has no value for void"):
        write_noisy_copy(NoisyLabels(dataset, VOIDING), tmp_path / "copy")
    assert not list((tmp_path / "copy").rglob("*.png"))


def test_what_cannot_be_copied(voc, tmp_path):
    with pytest.raises(ConfigError, match="cannot be written down"):
        write_noisy_copy(NoisyLabels(voc, lambda mask, rng: mask.copy()), tmp_path / "copy")
    voc._read_mask = lambda path: np.zeros((4, 4), np.uint8)
    with pytest.raises(ConfigError, match="not read by a MaskReader"):
        write_noisy_copy(NoisyLabels(voc, FLIP), tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_samples_that_share_a_mask(voc_root, tmp_path):
    mask = voc_root / "SegmentationClass" / "2007_000001.png"
    images = sorted((voc_root / "JPEGImages").iterdir())[:2]
    dataset = SegmentationDataset(
        [SampleFiles(image.stem, image, mask) for image in images],
        classes=["a", "b"],
        palette=[(0, 0, 0), (1, 1, 1)],
        read_mask=MaskReader(2),
    )
    with pytest.raises(DatasetError, match=r"is the mask of 2 samples \(2007_000001, 2007_000002"):
        write_noisy_copy(NoisyLabels(dataset, FLIP), tmp_path / "copy")


class TestVerify:
    """Every difference is found and named."""

    @pytest.fixture
    def folder(self, voc, tmp_path):
        write_noisy_copy(NoisyLabels(voc, FLIP), tmp_path / "copy")
        return tmp_path / "copy"

    def only(self, folder, noisy=None):
        problems = verify_noisy_copy(folder, noisy)
        assert len(problems) == 1, problems
        return str(problems[0])

    def edit(self, folder, change):
        path = folder / "manifest.json"
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))

    def test_noisy_file(self, folder):
        path = folder / "SegmentationClass" / "2007_000003.png"
        picture = Image.open(path)
        picture.putpixel((1, 1), 3)
        picture.save(path)
        assert "2007_000003.png: noisy mask has changed since it was written" in self.only(folder)

    def test_clean_file(self, folder, voc_root):
        path = voc_root / "SegmentationClass" / "2007_000003.png"
        picture = Image.open(path)
        picture.putpixel((1, 1), 3)
        picture.save(path)
        assert f"{path}: clean mask has changed since it was corrupted" in self.only(folder)

    def test_missing_files(self, folder, voc_root):
        (folder / "SegmentationClass" / "2007_000003.png").unlink()
        assert "2007_000003.png: noisy mask missing" in self.only(folder)
        (voc_root / "SegmentationClass" / "2007_000001.png").unlink()
        problems = verify_noisy_copy(folder)
        assert [p.what for p in problems] == ["clean mask missing", "noisy mask missing"]

    def test_additional_file(self, folder):
        shutil.copy(
            folder / "SegmentationClass/2007_000003.png", folder / "SegmentationClass/mine.png"
        )
        assert "mine.png: is not in the manifest; remove it" in self.only(folder)

    def test_additional_files_anywhere(self, folder):
        for name in ("notes.txt", "deep/er/mine.png", ".hidden/x", ".DS_Store"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text("mine")
        found = [problem.path for problem in verify_noisy_copy(folder)]
        assert found == [str(folder / "deep/er/mine.png"), str(folder / "notes.txt")]

    def test_clean_data_of_another_folder(self, folder, voc_root, tmp_path):
        other = shutil.copytree(voc_root, tmp_path / "other")
        for path in (other / "SegmentationClass").iterdir():
            Image.fromarray(np.zeros((56, 64), np.uint8)).save(path)
        noisy = NoisyLabels(PascalVOC(other), FLIP)
        words = f"{folder}: was made from {voc_root}, this config's data set is {other}, where 6 of"
        assert words in self.only(folder, noisy)
        with pytest.raises(DatasetError, match="was made from"):
            write_noisy_copy(noisy, folder)

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            (lambda c: c["noise"].update(rate=0.4), "its noise, seed, dataset or versions"),
            (lambda c: c["versions"].update(numpy="0"), "its noise, seed, dataset or versions"),
            (lambda c: c["dataset"].update(samples=5), "has 6 files for 5 samples"),
            (lambda c: c["files"][1].update(seed_key=[1, "noise", "x"]), "seed_key [1, 'noise'"),
            (lambda c: c["files"].reverse(), "files' sample_id and path are not those"),
        ],
        ids=["noise", "versions", "samples", "seed_key", "order"],
    )
    def test_edited_manifest(self, folder, voc, change, words):
        self.edit(folder, change)
        found = verify_noisy_copy(folder, recount=False)
        assert any(words in problem.what for problem in found)
        with pytest.raises(DatasetError, match=r"manifest.json: "):
            NoisyCopy(voc, folder)

    def test_edited_seed(self, folder):
        self.edit(folder, lambda content: content.update(seed=1))
        found = [problem.what for problem in verify_noisy_copy(folder)]
        assert found == [
            "its noise, seed, dataset or versions are not those that were written",
            "seed_key [0, 'noise', '2007_000001'] is not of '2007_000001' with seed 1 "
            "(6 such files)",
        ]

    def test_swapped_samples(self, folder):
        def change(content):
            first, second = content["files"][:2]
            for key in ("sample_id", "seed_key"):
                first[key], second[key] = second[key], first[key]

        self.edit(folder, change)
        assert "its files' sample_id and path are not those" in self.only(folder)

    def test_masks_of_another_program(self, folder, voc, monkeypatch):
        noisy = NoisyLabels(voc, FLIP)
        assert verify_noisy_copy(folder, noisy) == []
        drawn = noisy.load_mask
        monkeypatch.setattr(noisy, "load_mask", lambda index: np.flipud(drawn(index)))
        found = verify_noisy_copy(folder, noisy)
        assert len(found) == 3
        assert {p.what for p in found} == {
            "is not the mask that noise and seed make with this program"
        }

    def test_rates(self, folder):
        def change(content):
            content["files"][1]["changed"] += 1

        self.edit(folder, change)
        assert "(valid, changed, rate) is (" in self.only(folder)

    def test_report(self, folder):
        def change(content):
            content["report"]["confusion"][0][0] += 1

        self.edit(folder, change)
        assert "its report is not the sum" in self.only(folder)

    def test_another_config(self, folder, voc):
        words = "is of another copy: seed (there 0, here 3)"
        assert words in self.only(folder, NoisyLabels(voc, FLIP, seed=3))

    def test_clean_data_that_have_moved(self, folder, voc_root, tmp_path):
        moved = shutil.move(voc_root, tmp_path / "moved")
        words = f"{voc_root}: the clean data set is gone; give the config, with data_root=..."
        assert words in self.only(folder)
        noisy = NoisyLabels(PascalVOC(moved), FLIP)
        assert verify_noisy_copy(folder, noisy) == []
        assert write_noisy_copy(noisy, folder)[1] == 0

    def test_no_manifest(self, folder, tmp_path):
        (folder / "manifest.json").unlink()
        for place in (folder, tmp_path / "nowhere"):
            with pytest.raises(DatasetError, match=r"manifest.json: no such file, so here is no"):
                verify_noisy_copy(place)

    @pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"format": 99}', '{"format": 1}'])
    def test_damaged_manifest(self, folder, voc, content):
        (folder / "manifest.json").write_text(content)
        for look in (verify_noisy_copy, partial(NoisyCopy, voc)):
            with pytest.raises(DatasetError, match=r"manifest.json: damaged: "):
                look(folder)
        write_noisy_copy(NoisyLabels(voc, FLIP), folder, overwrite=True)
        assert verify_noisy_copy(folder) == []

    @pytest.mark.parametrize(
        "change",
        [
            lambda c: c.update(dataset=5),
            lambda c: c["dataset"].update(masks={}),
            lambda c: c["dataset"]["masks"].update(format="bogus"),
            lambda c: c["dataset"].update(classes=7),
            lambda c: c.update(noise=[]),
            lambda c: c.update(seed="0"),
            lambda c: c.update(report=3),
            lambda c: c.update(report={}),
            lambda c: c.update(source=None),
            lambda c: c.update(files=4),
            lambda c: c["files"].append(4),
            lambda c: c["files"][0].update(path=5),
            lambda c: c["files"][0].update(path=""),
            lambda c: c["files"][0].update(path="../../etc/passwd"),
            lambda c: c["files"][0].update(path="/etc/passwd"),
            lambda c: c["files"][0].update(path="C:/x"),
            lambda c: c["files"][0].update(seed_key=None),
            lambda c: c["files"][0].update(valid=True),
            lambda c: c["files"][0].pop("clean_sha256"),
        ],
    )
    def test_parts_of_the_wrong_kind(self, folder, voc, change):
        self.edit(folder, change)
        for look in (verify_noisy_copy, partial(NoisyCopy, voc)):
            with pytest.raises(DatasetError, match=r"manifest.json: damaged: "):
                look(folder)
        write_noisy_copy(NoisyLabels(voc, FLIP), folder, overwrite=True)
        assert verify_noisy_copy(folder) == []


JOURNALS = {
    "empty": lambda lines: [],
    "no head": lambda lines: ["[]", *lines[1:]],
    "an odd head": lambda lines: ['{"noise": 1}', *lines[1:]],
    "a cut head": lambda lines: [lines[0][:50]],
    "an odd record": lambda lines: [lines[0], '{"record": {"path": 5}, "report": {}}'],
    "an odd line": lambda lines: [lines[0], "7", *lines[1:]],
    "an odd report": lambda lines: [
        lines[0],
        json.dumps({**json.loads(lines[1]), "report": []}),
    ],
}


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("name", JOURNALS)
def test_a_damaged_journal_ends_where_it_is_damaged(voc, tmp_path, name, overwrite):
    noisy, folder = NoisyLabels(voc, FLIP), tmp_path / "copy"
    with pytest.raises(KeyboardInterrupt):
        write_noisy_copy(noisy, folder, mapper=stop_after(2))
    path = folder / ".unfinished" / "journal.jsonl"
    path.write_text("\n".join(JOURNALS[name](path.read_text().splitlines())))
    assert write_noisy_copy(noisy, folder, overwrite=overwrite)[1] == 6
    assert verify_noisy_copy(folder, noisy) == []


def test_one_process_at_a_time(voc, tmp_path):
    noisy, folder = NoisyLabels(voc, FLIP), tmp_path / "copy"
    folder.mkdir()
    with locked(folder):
        for overwrite in (False, True):
            with pytest.raises(ConfigError, match=r"copy is being written by another process"):
                write_noisy_copy(noisy, folder, overwrite=overwrite)
    assert list(folder.iterdir()) == []
    (folder / LOCK).touch()  # what a kill leaves
    assert write_noisy_copy(noisy, folder)[1] == 6
    assert not (folder / LOCK).exists()


def test_a_file_that_cannot_be_written_is_named(voc, tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(copy_writer.MaskWriter, "write", full)
    with pytest.raises(OSError, match="No space") as raised:
        write_noisy_copy(NoisyLabels(voc, FLIP), tmp_path / "copy")
    assert raised.value.filename == str(tmp_path / "copy/SegmentationClass/2007_000001.png")


class TestNoisyCopy:
    """What a training sees of a copy."""

    def test_masks_of_another_data_set_with_the_same_names(self, tmp_path):
        ours, other = (
            Phantoms(tmp_path / str(seed), num_images=3, size=32, seed=seed) for seed in (0, 1)
        )
        write_noisy_copy(NoisyLabels(ours, FLIP), tmp_path / "copy")
        copied = NoisyCopy(other, tmp_path / "copy")
        words = r"train_0001.png: is not the mask that this copy was made from .*--verify"
        for read in (copied.load_masks, copied.load_mask, copied.__getitem__):
            with pytest.raises(DatasetError, match=words) as raised:
                read(1)
            assert str(other.paths(1)[1]) in str(raised.value)
        assert len(check_dataset(copied).problems) == 3

    @pytest.mark.parametrize("side", ["clean", "noisy"])
    def test_edited_masks(self, voc, tmp_path, side):
        write_noisy_copy(NoisyLabels(voc, FLIP), tmp_path / "copy")
        clean = voc.paths(2)[1]
        path = clean if side == "clean" else tmp_path / "copy/SegmentationClass" / clean.name
        picture = Image.open(path)
        picture.putpixel((1, 1), 3)
        picture.save(path)
        copied = NoisyCopy(voc, tmp_path / "copy")
        which = "this copy was made from" if side == "clean" else "was written"
        with pytest.raises(DatasetError, match=f"{path}: is not the mask that {which}"):
            copied[2]
        assert copied[1]["sample_id"] == "2007_000002"

    def test_a_part_of_the_copied_samples(self, voc_root, tmp_path):
        whole = PascalVOC(voc_root, "trainval")
        write_noisy_copy(NoisyLabels(whole, FLIP), tmp_path / "copy")
        train = PascalVOC(voc_root, "train")
        same(NoisyCopy(train, tmp_path / "copy"), NoisyLabels(train, FLIP))

    def test_missing_samples(self, voc, voc_root, tmp_path):
        write_noisy_copy(NoisyLabels(voc, FLIP), tmp_path / "copy")
        words = r"4 of the data set's 10 samples are not in it.*\n.*lacks '2008_000001'"
        with pytest.raises(DatasetError, match=words):
            NoisyCopy(PascalVOC(voc_root, "trainval"), tmp_path / "copy")

    def test_other_classes(self, voc, voc_root, folder_root, tmp_path):
        write_noisy_copy(NoisyLabels(voc, FLIP), tmp_path / "copy")
        with pytest.raises(ConfigError, match=r"copy of another data set: classes \(there"):
            NoisyCopy(FolderDataset(folder_root), tmp_path / "copy")
        masks = {"image_dir": "JPEGImages", "mask_dir": "SegmentationClass"}
        values = {value: value for value in (*range(21), 255)}
        other = FolderDataset(
            voc_root, "train", classes=voc.metainfo["classes"], value_map=values, **masks
        )
        with pytest.raises(ConfigError, match=r"copy of another data set: masks \(there"):
            NoisyCopy(other, tmp_path / "copy")

    def test_other_size(self, voc, tmp_path):
        write_noisy_copy(NoisyLabels(voc, FLIP), tmp_path / "copy")
        path = tmp_path / "copy" / "SegmentationClass" / "2007_000002.png"
        Image.fromarray(np.zeros((3, 5), np.uint8)).save(path)
        copied = NoisyCopy(voc, tmp_path / "copy")
        words = r"copy/.*002.png: is 5x3, the clean mask 56x64; .*--verify"
        for read in (copied.load_masks, copied.load_mask, copied.__getitem__):
            with pytest.raises(DatasetError, match=words):
                read(1)

    def test_a_check_counts_the_same(self, voc, tmp_path):
        noisy = NoisyLabels(voc, FLIP)
        manifest, _ = write_noisy_copy(noisy, tmp_path / "copy")
        copied = NoisyCopy(voc, tmp_path / "copy")
        for workers in (0, 2):
            assert (
                check_dataset(copied, workers=workers).to_dict() == check_dataset(noisy).to_dict()
            )
        assert check_dataset(copied).noise == NoiseReport.from_dict(manifest.report)

    def test_it_knows_its_noise(self, voc, tmp_path):
        write_noisy_copy(NoisyLabels(voc, FLIP), tmp_path / "copy")
        copied = NoisyCopy(voc, tmp_path / "copy")
        assert copied.noise == SymmetricFlip(0.3, 21)
        assert repr(copied) == f"NoisyCopy({voc!r}, {str(tmp_path / 'copy')!r})"
        write_noisy_copy(NoisyLabels(voc, FLIP, seed=1), tmp_path / "other")
        assert NoisyCopy(voc, tmp_path / "other").fingerprint != copied.fingerprint
