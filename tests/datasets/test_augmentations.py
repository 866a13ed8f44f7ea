"""Augmentation: image and masks move together, masks keep their ids, draws follow the generator."""

import json
import pickle
import random

import albumentations as A
import numpy as np
import pytest

from segnoise.datasets import (
    Augment,
    MaskNoise,
    RandomScaleCrop,
    ResizeFlip,
    Transformed,
    collate,
)
from segnoise.errors import ConfigError, DataError
from segnoise.models import Preprocessor
from segnoise.noise import BoundaryErosion, SymmetricFlip, generator


def make_sample(height=40, width=56, seed=0):
    """A sample whose image shows its mask: red is the class, so that the two can be compared."""
    rng = np.random.default_rng(seed)
    mask = np.kron(rng.integers(0, 5, (height // 8, width // 8)), np.ones((8, 8))).astype(np.uint8)
    image = np.dstack([mask * 40, mask * 40, mask * 40]).astype(np.uint8)
    return {"image": image, "mask": mask, "clean_mask": mask.copy(), "sample_id": "s"}


GEOMETRIC = [
    {"type": "HorizontalFlip", "p": 0.5},
    {"type": "VerticalFlip", "p": 0.5},
    {"type": "RandomRotate90", "p": 0.5},
    {"type": "Affine", "scale": (0.6, 1.4), "rotate": (-40, 40), "p": 1.0},
    {"type": "ElasticTransform", "p": 0.7},
    {"type": "GridDistortion", "p": 0.5},
    {"type": "Perspective", "p": 0.5},
    {"type": "PadIfNeeded", "min_height": 64, "min_width": 64, "p": 1.0},
]
PHOTOMETRIC = [
    {"type": "RandomBrightnessContrast", "p": 0.5},
    {"type": "GaussNoise", "p": 0.5},
    {"type": "GaussianBlur", "p": 0.5},
    {"type": "ColorJitter", "p": 0.5},
    {"type": "OneOf", "transforms": [{"type": "CLAHE"}, {"type": "Solarize"}], "p": 1.0},
]
RECIPES = {
    "geometric": lambda: Augment(GEOMETRIC),
    "photometric": lambda: Augment(PHOTOMETRIC),
    "scale_crop": lambda: RandomScaleCrop((32, 48)),
    "resize_flip": lambda: ResizeFlip((24, 32), vertical_flip=0.5, color_jitter=True),
}


@pytest.mark.parametrize("recipe", RECIPES)
def test_draws_depend_on_the_generator_only(recipe):
    one, two = RECIPES[recipe](), RECIPES[recipe]()
    sample, untouched = make_sample(), make_sample()
    np.random.seed(1)
    random.seed(1)
    results = [one(sample, np.random.default_rng(i)) for i in range(6)]
    state = np.random.get_state()[1].copy(), random.getstate()
    np.random.seed(2)
    random.seed(2)
    for i in reversed(range(6)):  # another order, another object, another global state
        again = two(sample, np.random.default_rng(i))
        assert all((again[k] == results[i][k]).all() for k in ("image", "mask", "clean_mask"))
    assert again["sample_id"] == "s"
    assert all((sample[k] == untouched[k]).all() for k in ("image", "mask", "clean_mask"))
    assert any(
        a["image"].shape != results[0]["image"].shape or (a["image"] != results[0]["image"]).any()
        for a in results[1:]
    )
    np.random.seed(1)
    random.seed(1)
    assert (np.random.get_state()[1] == state[0]).all()
    assert random.getstate() == state[1]


@pytest.mark.parametrize("recipe", ["geometric", "scale_crop"])
def test_masks_move_with_the_image_and_get_no_new_ids(recipe):
    augment = (
        Augment(GEOMETRIC)
        if recipe == "geometric"
        else RandomScaleCrop((48, 64), color_jitter=False)
    )
    voids = 0
    for seed in range(40):
        result = augment(make_sample(), np.random.default_rng(seed))
        mask = result["mask"]
        assert mask.shape == result["image"].shape[:2] == result["clean_mask"].shape
        assert (mask == result["clean_mask"]).all()
        assert set(np.unique(mask)) <= {0, 1, 2, 3, 4, 255}
        valid = mask != 255
        voids += (~valid).sum()
        # Away from edges, where the image is interpolated, its brightness is the class.
        agree = np.abs(result["image"][..., 0].astype(int) - mask * 40.0) <= 10
        assert agree[valid].mean() > 0.55
    assert voids > 0


def test_padding_is_void_in_both_masks_and_mean_in_the_image():
    augment = RandomScaleCrop((80, 80), scale=(1, 1), flip=0, color_jitter=False)
    result = augment(make_sample(40, 56), np.random.default_rng(0))
    for name in ("mask", "clean_mask"):
        assert (result[name] == 255).sum() == 80 * 80 - 40 * 56
    assert (result["image"][result["mask"] == 255] == (124, 116, 104)).all()


def test_two_flips_are_independent():
    """One seed for every transform would make them always fall together."""
    sample = {
        "image": np.zeros((2, 2, 3), np.uint8),
        "mask": np.array([[0, 1], [2, 3]], np.uint8),
        "sample_id": "s",
    }
    augment = Augment(GEOMETRIC[:2])
    seen = {augment(sample, np.random.default_rng(i))["mask"].tobytes() for i in range(60)}
    assert len(seen) == 4


def test_scale_stays_in_its_range():
    sample = make_sample(200, 200)
    sample["mask"][:] = 255
    sample["mask"][80:120, 80:120] = 1
    augment = RandomScaleCrop((400, 400), scale=(0.5, 2.0), color_jitter=False)
    areas = [
        (augment(sample, np.random.default_rng(i))["mask"] == 1).sum() / 1600 for i in range(60)
    ]
    assert 0.24 <= min(areas) < 0.5
    assert 2.5 < max(areas) <= 4.1


def test_recipes_give_the_size_asked_for():
    for recipe in (RandomScaleCrop((24, 72)), ResizeFlip((24, 72))):
        for seed in range(5):
            result = recipe(make_sample(), np.random.default_rng(seed))
            assert result["image"].shape == (24, 72, 3)
            assert result["mask"].shape == (24, 72)
    assert ResizeFlip()(make_sample(), np.random.default_rng(0))["mask"].shape == (40, 56)


def test_wide_ids_survive():
    sample = make_sample()
    sample["mask"] = sample["mask"].astype(np.uint16) * 100
    result = Augment(GEOMETRIC[:3], ignore_index=65535)(sample, np.random.default_rng(0))
    assert result["mask"].dtype == np.uint16
    assert set(np.unique(result["mask"])) <= {0, 100, 200, 300, 400}


@pytest.mark.parametrize(
    ("transform", "words"),
    [
        ({"type": "HorizontalFlop"}, "no transform 'HorizontalFlop'; did you mean HorizontalFlip"),
        ({"type": "HorizontalFlip", "prob": 1}, r"HorizontalFlip\(prob=...\): no such argument"),
        ({"type": "Affine", "rotates": 3}, "did you mean rotate"),
        ({"type": "RandomCrop", "height": -3, "width": 2}, "greater than or equal to 1"),
        ({"p": 1}, "names no albumentations transform"),
        ("HorizontalFlip", "give dict"),
        ({"type": "OneOf", "transforms": [{"type": "Blurs"}]}, "did you mean Blur"),
    ],
)
def test_bad_configs(transform, words):
    with pytest.raises(ConfigError, match=words):
        Augment([transform])


@pytest.mark.parametrize(
    "make",
    [
        lambda: RandomScaleCrop((0, 5)),
        lambda: RandomScaleCrop((5, 5, 5)),
        lambda: RandomScaleCrop(5, scale=(2, 1)),
        lambda: ResizeFlip(-1),
        lambda: ResizeFlip(flip=1.5),
    ],
)
def test_bad_recipes(make):
    with pytest.raises(ConfigError):
        make()


def test_a_sample_that_cannot_be_transformed_is_named():
    augment = Augment([{"type": "RandomCrop", "height": 100, "width": 100, "p": 1.0}])
    with pytest.raises(DataError, match=r"sample 's': Augment\(RandomCrop\) cannot"):
        augment(make_sample(), np.random.default_rng(0))


class OneImage:
    """A data set of one image whose labels are the numbers of its pixels' cells."""

    def __init__(self, height=30, width=44, stride=4):
        rows, columns = np.arange(height) // stride, np.arange(width) // stride
        self.mask = (rows[:, None] * -(-width // stride) + columns).astype(np.uint16)

    def __getitem__(self, index):
        image = np.zeros((*self.mask.shape, 3), np.uint8)
        return {"image": image, "mask": self.mask.copy(), "sample_id": "a"}


@pytest.mark.parametrize(
    "transform",
    [
        None,
        ResizeFlip(flip=1.0, vertical_flip=1.0),
        RandomScaleCrop(crop_size=(40, 40), scale=(0.7, 1.5), ignore_index=255),
        Augment([{"type": "Affine", "rotate": (20, 20), "scale": (0.8, 0.8), "p": 1.0}]),
        Augment([{"type": "ElasticTransform", "p": 1.0}]),
    ],
    ids=repr,
)
def test_cells_say_where_a_pixel_comes_from(transform):
    """The mask holds the same numbers: it must move alike (but 255, which padding shares)."""
    data = Transformed(OneImage(), transform, seed=3, cell_stride=4)
    for epoch in range(3):
        sample = data.draw(0, epoch)
        cells, mask = sample["cells"], sample["mask"].astype(np.int64)
        assert cells.dtype == np.int64
        padded = (mask == 255) & (cells == -1)
        assert (cells[~padded] == mask[~padded]).all()
        assert padded.any() == (cells == -1).any()
    if isinstance(transform, RandomScaleCrop):
        batch = collate([sample, sample])
        assert batch["cells"].shape == (2, 40, 40)
        prepared = Preprocessor(size_divisor=32)(batch, training=True)
        assert (prepared["cells"][:, 40:] == -1).all()


def test_too_many_cells_are_an_error():
    data = Transformed(OneImage(height=5000, width=4000, stride=4), None, cell_stride=1)
    with pytest.raises(DataError, match=r"sample 'a' of 4000 x 5000 pixels .* larger stride"):
        data.draw(0, 0)
    with pytest.raises(ValueError, match="cell_stride must be at least 1, not 0"):
        Transformed(OneImage(), None, cell_stride=0)


FLIP = SymmetricFlip(0.4, 3)
IMAGE = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)
MASK = np.random.default_rng(1).integers(0, 3, (24, 32), np.uint8)
MASK[:4] = 255


def pipeline(*steps, seed=0, **options):
    return A.Compose(list(steps), seed=seed, strict=True, **options)


def test_mask_noise_corrupts_the_mask_and_nothing_else():
    boxes = {"bboxes": np.array([[1.0, 2.0, 9.0, 12.0, 1.0]], np.float32)}
    made = pipeline(
        MaskNoise(FLIP),
        bbox_params=A.BboxParams("pascal_voc"),
        additional_targets={"clean_mask": "mask"},
    )(image=IMAGE, mask=MASK, clean_mask=MASK, **boxes)
    changed = (made["mask"] != MASK) & (MASK != 255)
    assert 0.3 < changed.sum() / (MASK != 255).sum() < 0.5
    assert (made["mask"][MASK == 255] == 255).all()
    np.testing.assert_array_equal(made["image"], IMAGE)
    np.testing.assert_array_equal(made["clean_mask"], MASK)
    np.testing.assert_allclose(made["bboxes"], boxes["bboxes"])


def test_without_a_seed_it_is_redrawn_at_every_call_and_follows_the_pipeline():
    def masks(seed):
        steps = pipeline(MaskNoise(FLIP), seed=seed)
        return [steps(image=IMAGE, mask=MASK)["mask"] for _ in range(3)]

    first, second, _ = masks(0)
    assert (first != second).any()
    np.testing.assert_array_equal(masks(0), masks(0))
    assert (masks(1)[0] != first).any()


def test_two_steps_of_one_pipeline_are_independent():
    half = np.random.default_rng(2).integers(0, 2, (200, 200), np.uint8)
    image = np.zeros((200, 200, 3), np.uint8)

    def steps():
        return [MaskNoise(SymmetricFlip(0.3, 2)) for _ in range(2)]

    twice = pipeline(*steps())
    made = twice(image=image, mask=half)["mask"]
    assert (made != half).mean() == pytest.approx(2 * 0.3 * 0.7, abs=0.02)
    np.testing.assert_array_equal(pipeline(*steps())(image=image, mask=half)["mask"], made)
    loaded = A.from_dict(json.loads(json.dumps(A.to_dict(twice))))
    loaded.set_random_seed(0)
    np.testing.assert_array_equal(loaded(image=image, mask=half)["mask"], made)
    replayed = A.ReplayCompose(steps())
    first = replayed(image=image, mask=half)
    again = A.ReplayCompose.replay(first["replay"], image=image, mask=half)
    np.testing.assert_array_equal(again["mask"], first["mask"])


def test_with_a_seed_a_mask_always_becomes_the_same():
    step = MaskNoise(FLIP, seed=3)
    made = [pipeline(step, seed=seed)(image=IMAGE, mask=MASK)["mask"] for seed in (0, 0, 1)]
    np.testing.assert_array_equal(made[0], made[1])
    np.testing.assert_array_equal(made[0], made[2])
    other = pipeline(MaskNoise(FLIP, seed=4))(image=IMAGE, mask=MASK)["mask"]
    assert (other != made[0]).any()
    turned = pipeline(step)(image=IMAGE, mask=MASK[::-1])["mask"]
    assert (turned[::-1] != made[0]).any()


def test_several_masks_get_noise_of_their_own():
    given = [MASK, MASK, MASK]
    made = pipeline(MaskNoise(FLIP))(image=IMAGE, masks=given)["masks"]
    assert isinstance(made, list)
    assert len({mask.tobytes() for mask in made}) == 3
    stacked = pipeline(MaskNoise(FLIP))(image=IMAGE, masks=np.stack(given))["masks"]
    np.testing.assert_array_equal(stacked, made)


def test_mask_noise_round_trips(tmp_path):
    steps = pipeline(MaskNoise(FLIP, seed=5, p=0.7), A.VerticalFlip(p=0.5))
    data = json.loads(json.dumps(A.to_dict(steps)))
    loaded = A.from_dict(data).transforms[0]
    assert (loaded.noise, loaded.noise_seed, loaded.p) == (FLIP, 5, 0.7)
    A.save(steps, tmp_path / "steps.json")
    assert A.load(tmp_path / "steps.json").transforms[0].noise == FLIP
    assert pickle.loads(pickle.dumps(steps)).transforms[0].noise == FLIP
    assert "SymmetricFlip" in repr(steps)
    assert "'rate': 0.4" in repr(steps)


def test_mask_noise_in_a_training_configs_augmentation():
    noise = {"type": "BoundaryErosion", "width": 1, "fill": 0}
    augment = Augment([{"type": "MaskNoise", "noise": noise}, {"type": "HorizontalFlip", "p": 1.0}])
    sample = {"image": IMAGE, "mask": MASK, "clean_mask": MASK, "sample_id": "a"}
    made = augment(sample, np.random.default_rng(0))
    noisy = BoundaryErosion(1, fill=0)(MASK, generator(0))
    np.testing.assert_array_equal(made["mask"], noisy[:, ::-1])
    np.testing.assert_array_equal(made["clean_mask"], MASK[:, ::-1])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: MaskNoise({"type": "SymetricFlip"}), "did you mean SymmetricFlip"),
        (lambda: MaskNoise({"type": "SymmetricFlip", "rate": 2, "num_classes": 3}), "rate must be"),
        (lambda: MaskNoise({"type": "SpuriousObjects", "count": 2}), "wrap the data set in Noisy"),
        (lambda: Augment([{"type": "MaskNoise", "nois": FLIP}]), "no such argument"),
    ],
)
def test_bad_mask_noise(call, message):
    with pytest.raises(ConfigError, match=message):
        call()


@pytest.mark.parametrize("volume", ["mask3d", "masks3d"])
def test_masks_of_volumes_are_refused(volume):
    """They would pass as they are, and the training would be one on clean labels."""
    masks = np.stack([MASK] * 3)
    given = {volume: masks if volume == "mask3d" else masks[None]}
    with pytest.raises(ConfigError, match=f"cannot corrupt {volume}: give the slices .* as masks"):
        pipeline(MaskNoise(FLIP))(volume=np.stack([IMAGE] * 3), **given)
    made = pipeline(MaskNoise(FLIP))(image=IMAGE, masks=masks)["masks"]  # the advice
    assert 0.3 < (made != masks).sum() / (masks != 255).sum() < 0.5
