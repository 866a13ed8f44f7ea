"""Noisy masks as files: written, resumed, verified, and read as NoisyLabels gives them."""

import hashlib
import json
import shutil
from functools import partial
from hashlib import sha256

import numpy as np
import pytest
from PIL import Image
from trees import tree

from segnoise.datasets import (
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
from segnoise.datasets.labels import copy_files
from segnoise.errors import ConfigError
from segnoise.inspection import check_dataset
from segnoise.lock import LOCK, locked
from segnoise.noise import (
    BoundaryErosion,
    Compose,
    NoiseReport,
    Omission,
    SymmetricFlip,
    generator,
)
from segnoise.parallel import map_chunks

FLIP = {"type": "SymmetricFlip", "rate": 0.3}
BORROWING = {"type": "SpuriousObjects", "count": 2}
VOIDING = {"type": "BoundaryErosion", "width": 1, "fill": "void"}
FIRST = "SegmentationClass/2007_000001.png"


@pytest.fixture(autouse=True)
def _one_file_a_chunk(monkeypatch):
    monkeypatch.setattr(copy_files, "_CHUNK", 1)


@pytest.fixture
def voc(voc_root):
    return PascalVOC(voc_root, "train")


@pytest.fixture
def noisy(voc):
    return NoisyLabels(voc, FLIP)


@pytest.fixture
def folder(noisy, tmp_path):
    """A finished copy."""
    write_noisy_copy(noisy, tmp_path / "copy")
    return tmp_path / "copy"


def stop_after(count):
    """A mapper that is killed after some files."""

    def mapper(work, shared, chunks):
        for number, chunk in enumerate(chunks):
            if number == count:
                raise KeyboardInterrupt
            yield work(shared, chunk)

    return mapper


def begin(noisy, folder, count, **options):
    with pytest.raises(KeyboardInterrupt):
        write_noisy_copy(noisy, folder, mapper=stop_after(count), **options)


def repaint(path):
    """Change a pixel of a mask."""
    picture = Image.open(path)
    picture.putpixel((1, 1), (picture.getpixel((1, 1)) + 1) % 20)
    picture.save(path)


def same(copied, noisy):
    assert (len(copied), copied.metainfo) == (len(noisy), noisy.metainfo)
    for index in range(len(noisy)):
        np.testing.assert_equal(copied[index], noisy[index])
        np.testing.assert_equal(copied.load_masks(index), noisy.load_masks(index))
        assert copied[index]["mask"].dtype == noisy[index]["mask"].dtype
        assert copied.paths(index) == noisy.paths(index)


@pytest.mark.parametrize(
    ("name", "make", "noise", "first"),
    [
        ("voc", PascalVOC, FLIP, FIRST),
        ("cityscapes", Cityscapes, VOIDING,
         "gtFine/train/aachen/aachen_000000_000019_gtFine_labelIds.png"),
        ("folder", partial(FolderDataset, split="train"), BORROWING, "masks/b/scan_00.png"),
        ("", partial(Phantoms, num_images=3, size=40), FLIP, "masks/train_0000.png"),
    ],
)  # fmt: skip
def test_the_copy_of_every_layout_reads_as_the_noise_does(
    request, tmp_path, name, make, noise, first
):
    root, out = request.getfixturevalue(f"{name}_root") if name else tmp_path, tmp_path / "copy"
    dataset = make(root)
    noisy = NoisyLabels(dataset, noise, seed=5)
    manifest, written = write_noisy_copy(noisy, out)
    assert written == len(dataset)
    assert manifest == json.loads((out / "manifest.json").read_text())
    assert manifest["files"][0]["path"] == first
    assert {record["path"] for record in manifest["files"]} == set(tree(out)) - {"manifest.json"}
    same(NoisyCopy(dataset, out), noisy)
    assert verify_noisy_copy(out) == verify_noisy_copy(out, noisy) == []
    kinds = set()
    for index, record in enumerate(manifest["files"]):
        files = (dataset.paths(index)[1], out / record["path"])
        before, after = (np.array(Image.open(file)) for file in files)
        clean, mask = noisy.load_masks(index)
        assert (before == after)[clean == mask].all(), "what does not change keeps its value"
        kinds |= set(after[clean != mask].tolist())
    if noise is VOIDING:  # Cityscapes' unlabeled, the first of its void ids
        assert kinds == {0}


def test_manifest_equals_an_independent_count(voc, voc_root, tmp_path):
    noise, total = Compose([BoundaryErosion(1), SymmetricFlip(0.3, 21)]), np.zeros((21, 21), int)
    stored, _ = write_noisy_copy(NoisyLabels(voc, noise, seed=7), tmp_path / "copy")
    assert (stored["noise"], stored["seed"]) == (noise.to_dict(), 7)
    assert (stored["source"], stored["dataset"]["type"]) == (str(voc_root), "PascalVOC")
    assert stored["dataset"]["classes"] == list(voc.metainfo["classes"])
    assert set(stored["versions"]) == {"segnoise", "numpy", "opencv", "python"}
    assert len(stored["files"]) == stored["dataset"]["samples"] == 6
    for index, entry in enumerate(stored["files"]):
        assert entry["sample_id"] == voc.sample_id(index)
        files = [root / entry["path"] for root in (voc_root, tmp_path / "copy")]
        hashes = [sha256(file.read_bytes()).hexdigest() for file in files]
        assert hashes == [entry["clean_sha256"], entry["noisy_sha256"]]
        clean, noisy = (np.array(Image.open(file)) for file in files)
        valid = [(c, n) for c, n in zip(clean.flat, noisy.flat, strict=True) if c != 255]
        for pair in valid:
            total[pair] += 1
        changed = sum(c != n for c, n in valid)
        counts = [entry[key] for key in ("valid", "changed", "pixel_rate")]
        assert counts == [len(valid), changed, changed / len(valid)]
        assert (noise(clean, generator(*entry["seed_key"])) == noisy).all()
    assert stored["report"]["confusion"] == total.tolist()
    assert stored["report"]["pixel_rate"] == (total.sum() - total.trace()) / total.sum()


def test_the_number_of_processes_plays_no_part(voc, tmp_path):
    noisy, two = NoisyLabels(voc, BORROWING), partial(map_chunks, workers=2)
    write_noisy_copy(noisy, tmp_path / "one")
    write_noisy_copy(noisy, tmp_path / "more", mapper=two)
    assert tree(tmp_path / "one") == tree(tmp_path / "more")
    assert verify_noisy_copy(tmp_path / "more", noisy, mapper=two) == []


def test_an_interrupted_copy_goes_on_and_ends_the_same(voc, noisy, folder, tmp_path):
    out = tmp_path / "other"
    begin(noisy, out, 4)
    (out / ".segnoise-a1b2c3d4.png").write_bytes(b"what a kill leaves")
    with (out / ".unfinished.jsonl").open("a") as journal:
        journal.write('{"record": {"path": "Segm')
    for look in (verify_noisy_copy, partial(NoisyCopy, voc)):
        with pytest.raises(DatasetError, match="not finished; run the same `segnoise corrupt`"):
            look(out)
    begin(noisy, out, 1)
    assert write_noisy_copy(noisy, out)[1] == 1
    assert tree(out) == tree(folder)


@pytest.mark.parametrize(("noise", "again"), [(FLIP, 5), (BORROWING, 6)])
def test_what_changed_meanwhile_is_written_again(voc, voc_root, tmp_path, noise, again):
    noisy, folder = NoisyLabels(voc, noise), tmp_path / "copy"
    begin(noisy, folder, 4)
    (folder / FIRST).unlink()
    (folder / "SegmentationClass" / "2007_000002.png").write_bytes(b"damaged")
    repaint(voc_root / "SegmentationClass" / "2007_000003.png")
    assert write_noisy_copy(noisy, folder)[1] == again
    write_noisy_copy(noisy, tmp_path / "whole")
    assert tree(folder) == tree(tmp_path / "whole")


JOURNALS = {
    "empty": lambda lines: [],
    "an odd head": lambda lines: ['{"noise": 1}', *lines[1:]],
    "a cut head": lambda lines: [lines[0][:50], *lines[1:]],
    "odd lines": lambda lines: [
        lines[0], "7", '{"record": {"path": 5}, "report": {}}',
        *(json.dumps({**json.loads(line), "report": []}) for line in lines[1:]),
        *(line.replace(FIRST, "../x.png") for line in lines[1:2]),
    ],
}  # fmt: skip


@pytest.mark.parametrize("change", JOURNALS.values(), ids=JOURNALS)
def test_a_damaged_journal_is_not_believed(noisy, folder, tmp_path, change):
    out = tmp_path / "other"
    begin(noisy, out, 2)
    path = out / ".unfinished.jsonl"
    path.write_text("\n".join(change(path.read_text().splitlines())))
    assert write_noisy_copy(noisy, out)[1] == 6
    assert tree(out) == tree(folder)


def test_a_finished_copy_is_left_alone(noisy, folder):
    times = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    stored = json.loads((folder / "manifest.json").read_text())
    assert write_noisy_copy(noisy, folder) == (stored, 0)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == times
    (folder / FIRST).write_bytes(b"mine now")
    with pytest.raises(DatasetError, match=r"2007_000001.png: noisy mask has changed"):
        write_noisy_copy(noisy, folder)
    assert (folder / FIRST).read_bytes() == b"mine now"
    assert write_noisy_copy(noisy, folder, overwrite=True)[1] == 6
    assert verify_noisy_copy(folder, noisy) == []


def test_another_copy_is_replaced_only_when_told_to(voc_root, noisy, folder, tmp_path, monkeypatch):
    out = tmp_path / "other"
    larger = NoisyLabels(PascalVOC(voc_root, "trainval"), {**FLIP, "rate": 0.4}, seed=1)
    begin(larger, out, 3)
    words = (
        r"noise \(there .*0.4.*here .*0.3.*; seed \(there 1, here 0\); dataset.samples \(there 10, "
        r"here 6\).*--overwrite"
    )
    with pytest.raises(ConfigError, match=words):
        write_noisy_copy(noisy, out)  # unfinished
    write_noisy_copy(larger, out)
    (out / "notes.txt").write_text("mine")
    before = tree(out)
    with pytest.raises(ConfigError, match=words):
        write_noisy_copy(noisy, out)
    assert tree(out) == before
    begin(noisy, out, 2, overwrite=True)
    assert write_noisy_copy(noisy, out, overwrite=True)[1] == 4
    assert tree(out) == {**tree(folder), "notes.txt": b"mine"}
    begin(noisy, tmp_path / "third", 3)  # what other versions make is not mixed with it
    monkeypatch.setattr(np, "__version__", "9.9")
    with pytest.raises(ConfigError, match=r'versions.numpy \(there ".*", here "9.9"\)'):
        write_noisy_copy(noisy, tmp_path / "third")


def test_places_that_are_refused(noisy, voc_root, tmp_path):
    with pytest.raises(ConfigError, match=r"the data set.s files in"):
        write_noisy_copy(noisy, voc_root / "SegmentationClass", overwrite=True)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("all of it")
    with pytest.raises(ConfigError, match=r"holds 'thesis\.txt', which segnoise has not put"):
        write_noisy_copy(noisy, tmp_path / "full", overwrite=True)
    assert write_noisy_copy(noisy, voc_root / "noisy")[1] == 6


def test_problems_are_collected_and_what_works_is_kept(noisy, voc_root, folder, tmp_path):
    out, masks = tmp_path / "other", voc_root / "SegmentationClass"
    good = {name: (masks / f"2007_00000{name}.png").read_bytes() for name in (2, 4, 5)}
    (masks / "2007_000002.png").write_bytes(good[2][:60])
    (masks / "2007_000004.png").unlink()
    Image.fromarray(np.full((9, 9), 77, np.uint8)).save(masks / "2007_000005.png")
    with pytest.raises(DatasetError, match="is not finished") as raised:
        write_noisy_copy(noisy, out)
    assert [problem.path[-8:-4] for problem in raised.value.problems] == ["0002", "0004", "0005"]
    for name, content in good.items():
        (masks / f"2007_00000{name}.png").write_bytes(content)
    assert write_noisy_copy(noisy, out)[1] == 3
    assert tree(out) == tree(folder)


def test_what_cannot_be_copied(voc, voc_root, tmp_path):
    out, mask = tmp_path / "copy", voc_root / FIRST
    files = [SampleFiles(name, voc.paths(0)[0], mask) for name in "ab"]
    options = {"classes": ["a", "b"], "palette": [(0, 0, 0), (1, 1, 1)]}
    shared = SegmentationDataset(files, **options, read_mask=MaskReader(2))
    with pytest.raises(DatasetError, match=r"is the mask of 2 samples \(a, b\)"):
        write_noisy_copy(NoisyLabels(shared, FLIP), out)
    with pytest.raises(ConfigError, match="cannot be written down"):
        write_noisy_copy(NoisyLabels(voc, lambda mask, rng: mask.copy()), out)
    voc._read_mask = lambda path: np.zeros((4, 4), np.uint8)
    with pytest.raises(ConfigError, match="not read by a MaskReader"):
        write_noisy_copy(NoisyLabels(voc, FLIP), out)
    assert not out.exists()


def test_one_process_at_a_time(noisy, tmp_path):
    folder = tmp_path / "copy"
    folder.mkdir()
    with locked(folder):
        for overwrite in (False, True):
            with pytest.raises(ConfigError, match=r"copy is being written by another process"):
                write_noisy_copy(noisy, folder, overwrite=overwrite)
    assert list(folder.iterdir()) == []
    (folder / LOCK).touch()  # what a kill leaves
    assert write_noisy_copy(noisy, folder)[1] == 6
    assert not (folder / LOCK).exists()


def edit(folder, change):
    path = folder / "manifest.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c["noise"].update(rate=0.4),
        lambda c: c.update(seed=1),
        lambda c: c["dataset"]["masks"].update(format="rgb"),
        lambda c: c["files"].reverse(),
        lambda c: c["files"][1].update(changed=0),
        lambda c: c["report"]["confusion"][0].__setitem__(0, 1),
    ],
)
def test_an_edited_manifest_is_not_believed(folder, noisy, voc, change):
    edit(folder, change)
    for look in (verify_noisy_copy, partial(NoisyCopy, voc)):
        with pytest.raises(DatasetError, match=r"manifest.json: has been edited since it was wri"):
            look(folder)


def test_verify_finds_every_changed_missing_and_additional_file(folder, voc_root):
    clean, noisy = voc_root / "SegmentationClass", folder / "SegmentationClass"
    repaint(noisy / "2007_000001.png")
    repaint(clean / "2007_000002.png")
    (noisy / "2007_000003.png").unlink()
    (clean / "2007_000004.png").unlink()
    names = ("notes.txt", "deep/er/mine.png", ".hidden/x", ".DS_Store")
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("mine")
    assert [(problem.path, problem.what) for problem in verify_noisy_copy(folder)] == [
        (str(noisy / "2007_000001.png"), "noisy mask has changed since it was written"),
        (str(clean / "2007_000002.png"), "clean mask has changed since it was corrupted"),
        (str(noisy / "2007_000003.png"), "noisy mask missing"),
        (str(clean / "2007_000004.png"), "clean mask missing"),
        (str(folder / "deep/er/mine.png"), "is not in the manifest"),
        (str(folder / "notes.txt"), "is not in the manifest"),
    ]


def only(problems):
    assert len(problems) == 1, problems
    return str(problems[0])


def test_verify_against_another_config_program_or_data_set(folder, voc, voc_root, tmp_path):
    words = "is of another copy: seed (there 0, here 3)"
    assert words in only(verify_noisy_copy(folder, NoisyLabels(voc, FLIP, seed=3)))
    noisy = NoisyLabels(voc, FLIP)
    drawn = noisy.load_mask
    noisy.load_mask = lambda index: np.flipud(drawn(index))
    found = {problem.what for problem in verify_noisy_copy(folder, noisy)}
    assert found == {"is not the mask that noise and seed make with this program"}
    other = shutil.copytree(voc_root, tmp_path / "other")
    for path in (other / "SegmentationClass").iterdir():
        Image.fromarray(np.zeros((56, 64), np.uint8)).save(path)
    noisy = NoisyLabels(PascalVOC(other), FLIP)
    words = f"{folder}: was made from {voc_root}, this config's data set is {other}, where 6 of"
    assert words in only(verify_noisy_copy(folder, noisy))
    with pytest.raises(DatasetError, match="was made from"):
        write_noisy_copy(noisy, folder)


def test_clean_data_that_have_moved(folder, voc_root, tmp_path):
    moved = shutil.move(voc_root, tmp_path / "moved")
    words = f"{voc_root}: the clean data set is gone; give the config, with data_root=..."
    assert words in only(verify_noisy_copy(folder))
    noisy = NoisyLabels(PascalVOC(moved), FLIP)
    assert verify_noisy_copy(folder, noisy) == []
    assert write_noisy_copy(noisy, folder)[1] == 0


@pytest.mark.parametrize(
    "change",
    [
        "", "[]", '{"format": 99}',
        lambda c: c.update(seed="0"),
        lambda c: c["files"].append(4),
        lambda c: c["files"][0].pop("clean_sha256"),
        lambda c: (c.pop("sha256"), c["files"][0].update(path="../../etc/passwd")),
        lambda c: (c.pop("sha256"), c["files"][0].update(path="C:/x")),
    ],
)  # fmt: skip
def test_a_damaged_manifest(folder, voc, change):
    if isinstance(change, str):
        (folder / "manifest.json").write_text(change)
    else:
        edit(folder, change)
    for look in (verify_noisy_copy, partial(NoisyCopy, voc)):
        with pytest.raises(DatasetError, match=r"manifest.json: damaged: "):
            look(folder)
    (folder / "manifest.json").unlink()
    with pytest.raises(DatasetError, match=r"manifest.json: no such file, so here is no"):
        verify_noisy_copy(folder)


def test_a_copy_that_knows_former_names_of_parameters(voc, tmp_path):
    noisy, out = NoisyLabels(voc, Omission(0.5), seed=0), tmp_path / "copy"
    write_noisy_copy(noisy, out)

    def former(content):
        content["noise"]["instances"] = content["noise"].pop("regions") == "instances"
        content.pop("sha256")

    edit(out, former)
    assert verify_noisy_copy(out, noisy) == []
    assert write_noisy_copy(noisy, out)[1] == 0
    assert NoisyCopy(voc, out).noise == noisy.noise


def test_a_copy_of_an_earlier_version(folder, voc, noisy):
    """Their manifests had no hash of themselves, and their noise need not be at hand."""

    def of_before(content):
        content.pop("sha256")
        content["noise"] = {"type": "Mine"}

    edit(folder, of_before)
    assert verify_noisy_copy(folder) == []
    same(NoisyCopy(voc, folder), noisy)
    assert NoisyCopy(voc, folder).noise is None


class TestNoisyCopy:
    """What a training sees of a copy."""

    def test_masks_of_another_data_set_with_the_same_names(self, tmp_path):
        ours, other = (
            Phantoms(tmp_path / str(seed), num_images=3, size=32, seed=seed) for seed in (0, 1)
        )
        write_noisy_copy(NoisyLabels(ours, FLIP), tmp_path / "copy")
        copied = NoisyCopy(other, tmp_path / "copy")
        words = r"train_0001.png: clean mask has changed .* or is of another data set .*--verify"
        for read in (copied.load_masks, copied.load_mask, copied.__getitem__):
            with pytest.raises(DatasetError, match=words) as raised:
                read(1)
            assert str(other.paths(1)[1]) in str(raised.value)
        assert len(check_dataset(copied).problems) == 3
        edited = tmp_path / "copy/masks/train_0002.png"
        repaint(edited)
        with pytest.raises(DatasetError, match=f"{edited}: noisy mask has changed"):
            NoisyCopy(ours, tmp_path / "copy")[2]

    def test_a_part_of_the_copied_samples_and_more(self, voc, voc_root, folder, tmp_path):
        whole = PascalVOC(voc_root, "trainval")
        write_noisy_copy(NoisyLabels(whole, FLIP), tmp_path / "larger")
        same(NoisyCopy(voc, tmp_path / "larger"), NoisyLabels(voc, FLIP))
        words = r"4 of the data set's 10 samples are not in it.*\n.*lacks '2008_000001'"
        with pytest.raises(DatasetError, match=words):
            NoisyCopy(whole, folder)

    def test_other_classes(self, folder, voc, voc_root, folder_root):
        with pytest.raises(ConfigError, match=r"copy of another data set: classes \(there"):
            NoisyCopy(FolderDataset(folder_root), folder)
        names = {"image_dir": "JPEGImages", "mask_dir": "SegmentationClass"}
        ids = {value: value for value in (*range(21), 255)}
        classes = voc.metainfo["classes"]
        other = FolderDataset(voc_root, "train", classes=classes, value_map=ids, **names)
        with pytest.raises(ConfigError, match=r"copy of another data set: masks \(there"):
            NoisyCopy(other, folder)

    def test_it_knows_its_noise(self, voc, noisy, folder, tmp_path):
        copied = NoisyCopy(voc, folder)
        assert copied.noise == SymmetricFlip(0.3, 21)
        assert repr(copied) == f"NoisyCopy({voc!r}, {str(folder)!r})"
        checks = [check_dataset(data, workers=2) for data in (copied, noisy)]
        assert checks[0].to_dict() == checks[1].to_dict()
        assert checks[0].noise == NoiseReport.from_dict(copied.manifest["report"])
        write_noisy_copy(NoisyLabels(voc, FLIP, seed=1), tmp_path / "other")
        assert NoisyCopy(voc, tmp_path / "other").fingerprint != copied.fingerprint


def test_a_manifest_of_before_is_read_and_its_edits_are_seen(folder, voc):
    def as_before(content):
        del content["sha256"]
        head = {key: content[key] for key in ("format", "noise", "seed", "dataset", "versions")}
        content["head_sha256"] = hashlib.sha256(json.dumps(head).encode()).hexdigest()

    edit(folder, as_before)
    assert len(NoisyCopy(voc, folder)) == len(voc)
    edit(folder, lambda content: content.update(seed=1))
    with pytest.raises(DatasetError, match=r"manifest\.json: has been edited since it was wri"):
        NoisyCopy(voc, folder)
