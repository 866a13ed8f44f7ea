import json
import pickle

import albumentations as A
import numpy as np
import pytest

from segnoise.datasets import Augment, MaskNoise
from segnoise.errors import ConfigError
from segnoise.noise import BoundaryErosion, SymmetricFlip, generator

FLIP = SymmetricFlip(0.4, 3)
IMAGE = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)
MASK = np.random.default_rng(1).integers(0, 3, (24, 32), np.uint8)
MASK[:4] = 255


def pipeline(*steps, seed=0, **options):
    return A.Compose(list(steps), seed=seed, strict=True, **options)


def test_it_corrupts_the_mask_and_nothing_else():
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


def test_replay():
    replayed = A.ReplayCompose([MaskNoise(FLIP), A.HorizontalFlip(p=0.5)])
    for _ in range(4):
        made = replayed(image=IMAGE, mask=MASK)
        again = A.ReplayCompose.replay(made["replay"], image=IMAGE, mask=MASK)
        np.testing.assert_array_equal(again["mask"], made["mask"])


def test_round_trips(tmp_path):
    steps = pipeline(MaskNoise(FLIP, seed=5, p=0.7), A.VerticalFlip(p=0.5))
    data = json.loads(json.dumps(A.to_dict(steps)))
    loaded = A.from_dict(data).transforms[0]
    assert (loaded.noise, loaded.noise_seed, loaded.p) == (FLIP, 5, 0.7)
    A.save(steps, tmp_path / "steps.json")
    assert A.load(tmp_path / "steps.json").transforms[0].noise == FLIP
    assert pickle.loads(pickle.dumps(steps)).transforms[0].noise == FLIP
    assert "SymmetricFlip" in repr(steps)
    assert "'rate': 0.4" in repr(steps)


def test_probability():
    steps = pipeline(MaskNoise(FLIP, p=0.5))
    made = [steps(image=IMAGE, mask=MASK)["mask"] for _ in range(60)]
    clean = sum((mask == MASK).all() for mask in made)
    assert 12 <= clean <= 48


def test_in_a_training_configs_augmentation():
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
def test_bad_input(call, message):
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


@pytest.mark.filterwarnings("ignore:Argument.* 'rate'")
def test_strict_refuses_unknown_arguments():
    with pytest.raises(ValueError, match="rate"):
        pipeline(MaskNoise(FLIP, rate=0.4))
