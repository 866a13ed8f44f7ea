"""What is said of a data set's files that no error stops: values, palettes, copies, orientation."""

import os
import shutil
import warnings

import numpy as np
import pytest
from PIL import Image

from segnoise.datasets import FolderDataset
from segnoise.datasets.files.masks import MaskReader
from segnoise.inspection import check_dataset
from segnoise.inspection.compare import compare_masks, pair_masks
from segnoise.inspection.remarks import remarks_across
from segnoise.noise import build_noise
from segnoise.noise.mask import one_class_and_void


@pytest.fixture
def root(tmp_path):
    """Four samples with three classes, in files of which nothing is to be said."""
    rng = np.random.default_rng(0)
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    (tmp_path / "classes.txt").write_text("a\nb\nc\n")
    for name in "wxyz":
        image = rng.integers(0, 256, (24, 24, 3), np.uint8)
        Image.fromarray(image).save(tmp_path / "images" / f"{name}.png")
        mask = np.kron(rng.permutation(9).reshape(3, 3) % 3, np.ones((8, 8))).astype(np.uint8)
        Image.fromarray(mask).save(tmp_path / "masks" / f"{name}.png")
    return tmp_path


def remarks(root, **arguments):
    check = check_dataset(FolderDataset(root, **arguments), images=False)
    assert check.ok
    table = check.table(("a", "b", "c"))
    for remark in check.file_remarks:
        assert f"{remark.remedy}." in table
    assert check.to_dict()["remarks"] == [remark.to_dict() for remark in check.file_remarks]
    return [
        (os.path.relpath(r.path, root), r.what.replace(f"{root}/", "")) for r in check.file_remarks
    ]


def replace(root, name, **options):
    path = root / name
    picture = Image.open(path)
    picture.load()
    path.unlink()
    picture.save(path.with_suffix(options.pop("suffix", ".png")), **options)


def test_sound_files_have_no_remarks(root):
    assert remarks(root) == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"suffix": ".jpg", "quality": 100}, "is stored with loss (JPEG)"),
        ({"suffix": ".webp", "quality": 100},
         "is stored with loss (WebP without its lossless mode)"),
        ({"suffix": ".tif", "compression": "jpeg", "quality": 100},
         "is stored with loss (TIFF with jpeg)"),
        ({"suffix": ".webp", "lossless": True}, None),
        ({"suffix": ".tif", "compression": "tiff_lzw"}, None),
    ],
)  # fmt: skip
def test_masks_that_are_stored_with_loss(root, options, words):
    suffix = options["suffix"]
    if suffix == ".webp":  # which holds colours only
        colors = {(0, 0, 0): 0, (1, 1, 1): 1, (2, 2, 2): 2, (3, 3, 3): 2}
        for name in "wxyz":
            mask = root / f"masks/{name}.png"
            Image.open(mask).convert("RGB").save(mask)
        arguments = {"mask_format": "rgb", "color_table": colors}
    else:
        arguments = {"value_map": {value: value % 3 for value in range(256)}}
    replace(root, "masks/x.png", **dict(options))
    expected = [] if words is None else [(f"masks/x{suffix}", words)]
    assert remarks(root, **arguments) == expected


def test_palettes_that_differ(root):
    for name, colors in {
        "w": [9, 9, 9, 1, 1, 1, 2, 2, 2], "x": [9, 9, 9, 2, 2, 2, 1, 1, 1],
        "y": [9, 9, 9, 1, 1, 1, 2, 2, 2, 7, 7, 7],
    }.items():  # fmt: skip
        picture = Image.open(root / f"masks/{name}.png")
        picture.putpalette(colors)
        picture.save(root / f"masks/{name}.png")
    words = "its palette shows 1 as (2, 2, 2), that of masks/w.png as (1, 1, 1)"
    assert remarks(root) == [("masks/x.png", words)]
    # The remedy: by colour, all masks are what is seen.
    for name in "wxyz":
        picture = Image.open(root / f"masks/{name}.png")
        if name == "z":
            picture.putpalette([9, 9, 9, 1, 1, 1, 2, 2, 2])
        picture.convert("RGB").save(root / f"masks/{name}.png")
    colors = {(9, 9, 9): 0, (1, 1, 1): 1, (2, 2, 2): 2}
    assert remarks(root, mask_format="rgb", color_table=colors) == []


@pytest.mark.parametrize(
    ("image", "mask", "said"), [(3, None, True), (3, 3, False), (1, None, False)]
)
def test_orientation_that_image_and_mask_do_not_share(root, image, mask, said):
    for folder, turned in (("images", image), ("masks", mask)):
        if turned is not None:
            exif = Image.Exif()
            exif[274] = turned
            replace(root, f"{folder}/x.png", exif=exif)
    words = "has orientation 3 by its EXIF or TIFF tag, its mask masks/x.png 1"
    assert remarks(root) == [("images/x.png", words)] * said


def test_one_class_and_void(root):
    mask = np.zeros((24, 24), np.uint8)
    mask[4:9] = 255
    Image.fromarray(mask).save(root / "masks/y.png")
    assert remarks(root) == [("masks/y.png", "holds one class and void, and nothing else")]
    Image.fromarray(np.full((24, 24), 1, np.uint8)).save(root / "masks/y.png")
    assert remarks(root) == []


def test_a_black_and_white_mask_among_others_is_told_how_to_be_read(root):
    for name in "wxyz":
        mask = np.arange(576).reshape(24, 24) % 2
        Image.fromarray((mask * (255 if name == "y" else 1)).astype(np.uint8)).save(
            root / f"masks/{name}.png"
        )
    dataset = FolderDataset(root, classes=["no", "yes"])
    check = check_dataset(dataset)
    assert [remark.path for remark in check.file_remarks] == [str(root / "masks/y.png")]
    assert "value_map={0: 0, 255: 1, 1: 1}." in check.table(["no", "yes"])
    mended = FolderDataset(root, classes=["no", "yes"], value_map={0: 0, 255: 1, 1: 1})
    assert check_dataset(mended).file_remarks == []
    assert [mended[i]["mask"].sum() for i in range(4)] == [288] * 4


def test_samples_that_are_there_twice(root):
    os.link(root / "images/w.png", root / "images/a_link.png")
    (root / "images/b_link.png").symlink_to("w.png")
    shutil.copy(root / "images/w.png", root / "images/c_copy.png")
    content = bytearray((root / "images/x.png").read_bytes())
    content[-9] ^= 1  # of x's size, and another file
    for name in ("a_link", "b_link", "c_copy"):
        shutil.copy(root / "masks/w.png", root / f"masks/{name}.png")  # masks may be equal
    assert remarks(root) == [
        ("images/b_link.png", "is the same file as images/a_link.png"),
        ("images/c_copy.png", "holds the same bytes as images/a_link.png"),
        ("images/w.png", "is the same file as images/a_link.png"),
    ]


def test_only_files_that_agree_in_size_and_ends_are_read_whole(root, monkeypatch):
    import segnoise.inspection.remarks as module

    sizes = [100_000, 100_000, 100_001, 100_000]
    for name, size in zip("wxyz", sizes, strict=True):
        content = bytearray(size)
        content[50_000] = name != "w"  # x and z are equal, w differs in the middle
        (root / f"images/{name}.raw").write_bytes(content)
    read = []
    digest = module._digest
    monkeypatch.setattr(module, "_digest", lambda path: read.append(path.stem) or digest(path))
    samples = [
        module.Seen(i, str(path), (1, 1), module._file(path), {}, "", ())
        for i, path in enumerate(sorted(root.glob("images/*.raw")))
    ]
    assert [r.path[-5:] for r in module.remarks_on(samples)] == ["z.raw"]
    assert read == ["w", "x", "z"]


def test_images_that_are_trained_on_and_scored(root):
    (root / "train.txt").write_text("w\nx\n")
    (root / "val.txt").write_text("y\nx\n")
    train, val = (check_dataset(FolderDataset(root, split=s)) for s in ("train", "val"))
    assert train.file_remarks == val.file_remarks == []
    [remark] = remarks_across(train.seen, val.seen)
    assert remark.path == str(root / "images/x.png")
    assert remark.what == f"is the same file as {root / 'images/x.png'}, of the training set"


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32])
@pytest.mark.parametrize("void", [255, 254])
def test_one_class_and_void_against_a_set(dtype, void):
    for labels in ([0], [255], [254], [0, 255], [0, 254], [7, 254], [7, 255], [0, 1, 255],
                   [0, 1, 254], [0, 254, 255], [253, 255]):  # fmt: skip
        ids = np.array([labels * 3], dtype)
        expected = void in labels and len(labels) == 2
        assert one_class_and_void(ids, void) is expected, labels


def test_comparing_0_1_masks_with_0_255_masks(tmp_path):
    yes = np.arange(64).reshape(8, 8) % 2
    for folder, value in (("ours", 1), ("theirs", 255)):
        (tmp_path / folder).mkdir()
        for name in "ab":
            Image.fromarray((yes * value).astype(np.uint8)).save(tmp_path / folder / f"{name}.png")
    pairs = pair_masks(tmp_path / "ours", tmp_path / "theirs")
    found = compare_masks(pairs, MaskReader(2))
    assert found.one_class == tuple(str(tmp_path / f"theirs/{name}.png") for name in "ab")
    assert found.table(["no", "yes"]).endswith(
        "theirs/a.png: holds one class and void, and nothing else (and 1 more such); if the masks "
        "are black and white (0/255), give --value-map 0=0 255=1 1=1."
    )
    same = compare_masks(pairs, MaskReader(2, value_map={0: 0, 255: 1, 1: 1}))
    assert (same.one_class, same.report.pixel_rate) == ((), 0)


def test_noise_on_a_black_and_white_mask_is_not_silent():
    mask = np.zeros((16, 16), np.uint8)
    mask[4:9] = 255
    rng = np.random.default_rng(0)
    for model in (
        build_noise("SymmetricFlip", rate=0.9, num_classes=2),
        build_noise("Shift", distance=2),
    ):
        with pytest.warns(UserWarning, match=r"class 0 and void \(255\) only.*numpy.where"):
            model(mask, rng)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert (model(np.where(mask == 255, 1, mask).astype(np.uint8), rng) != mask).any()
