"""What a cell makes of a few validation images, as small pictures for the report."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from segnoise.datasets.labels.noisy_labels import built_noise
from segnoise.drawing import colorize, save_png
from segnoise.engine import data
from segnoise.engine.evaluate import predictions
from segnoise.files import write_json
from segnoise.output_folder import announce
from segnoise.pictures import shown

_WIDTH = 320


def draw_examples(config: Mapping[str, Any], checkpoint: Path, folder: Path, count: int) -> None:
    """Write ``<number>_{image,clean,noisy,prediction}.png`` and ``examples.json``.

    The images are spread evenly over the validation set. Validation labels are never corrupted:
    "noisy" shows what the training's noise would make of them, and is left out where there is no
    noise, or one that looks at what only training images have.
    """
    dataset = data.build_dataset(config, "val_data")
    palette, classes = dataset.metainfo["palette"], dataset.metainfo["classes"]
    places = np.linspace(0, len(dataset) - 1, min(count, len(dataset)))
    chosen = list(dict.fromkeys(places.round().astype(int).tolist()))
    noisy = data.with_noise(dataset, config) if _works_anywhere(config, dataset) else None
    found = predictions(config, checkpoint, dataset, chosen)
    pictures = ("image", "clean", "prediction", "noisy")
    numbered = [f"{number}_{name}.png" for number in range(len(chosen)) for name in pictures]
    listed = [f"{folder.name}/{name}" for name in ("examples.json", *numbered)]
    announce(folder.parent, *listed)
    names = []
    for number, (index, prediction) in enumerate(zip(chosen, found, strict=True)):
        sample = dataset[index]
        masks = {"clean": sample["mask"], "prediction": prediction}
        if noisy is not None:
            masks["noisy"] = noisy.load_mask(index)
        drawn = {name: colorize(mask, palette) for name, mask in masks.items()}
        for name, picture in {"image": shown(sample["image"]), **drawn}.items():
            how = cv2.INTER_AREA if name == "image" else cv2.INTER_NEAREST
            save_png(folder / f"{number}_{name}.png", _small(picture, how))
        names.append(sample["sample_id"])
    legend = {"classes": list(classes), "palette": [[int(v) for v in c] for c in palette]}
    write_json(
        folder / "examples.json", {"samples": names, "checkpoint": checkpoint.stem, **legend}
    )


def _works_anywhere(config: Mapping[str, Any], dataset: Any) -> bool:
    """Whether a noise can be shown on images other than the training's."""
    if not config["noise"] or data.of_training_images(config["noise"]):
        return False
    return built_noise(config["noise"], dataset.metainfo).needs <= {"image", "others"}


def _small(picture: np.ndarray, how: int) -> np.ndarray:
    height, width = picture.shape[:2]
    if width <= _WIDTH:
        return picture
    size = (_WIDTH, max(1, round(height * _WIDTH / width)))
    return np.asarray(cv2.resize(picture, size, interpolation=how))
