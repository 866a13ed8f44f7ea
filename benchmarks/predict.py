"""Windows per second of `segnoise predict`, as a ratio to a plain PyTorch loop over them in memory.

The loop runs the network on the same windows of an array that is there already, in batches of the
same size, and takes softmax and argmax of each: it reads and writes no file, and blends nothing.
Ours reads a GeoTIFF by windows (or a folder of pictures), blends the overlaps, and writes a
GeoTIFF (or palette PNGs). Both in alternating rounds of one run; the ratio is the median.

    python benchmarks/predict.py --rounds 5
    python benchmarks/predict.py --side 8192 --encoder resnet34       # on a GPU
"""

from __future__ import annotations

import argparse
import contextlib
import io
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from segnoise.datasets.files.bands import optional_import
from segnoise.engine import checkpoint as checkpoints
from segnoise.engine.model import build_model
from segnoise.engine.predict import predict
from segnoise.engine.predictor import Predictor
from segnoise.engine.resume import as_json
from segnoise.engine.schema import complete
from segnoise.models.preprocessor import IMAGENET_MEAN, IMAGENET_STD
from segnoise.models.windows import Windows
from segnoise.tables import markdown


def network(folder: Path, settings: argparse.Namespace) -> Predictor:
    """A checkpoint of random weights, loaded as any other."""
    classes = [f"class {number}" for number in range(settings.classes)]
    meta = {"classes": classes, "palette": [(n, n, n) for n in range(len(classes))]}
    meta["ignore_index"] = 255
    config = complete(
        {
            "train_data": {"type": "Phantoms"},
            "losses": [{"type": "CE"}],
            "model": {"encoder": settings.encoder, "encoder_weights": None},
        }
    )
    torch.manual_seed(0)
    state = build_model(config, meta).state_dict()
    checkpoints.save(
        {"meta": {"config": as_json(config), "iter": 0, "dataset": meta}, "state_dict": state},
        folder / "last.pth",
    )
    return Predictor(folder / "last.pth")


def write_images(folder: Path, settings: argparse.Namespace) -> tuple[np.ndarray, list[Path]]:
    """A scene, (H, W, 3), and files of it: one raster, or pictures of a window's size."""
    rng = np.random.default_rng(0)
    side = settings.side
    small = rng.integers(0, 256, (side // 8, side // 8, 3), np.uint8)
    scene = small.repeat(8, 0).repeat(8, 1)
    if settings.kind == "folder":
        files = []
        for top in range(0, side, settings.window):
            for left in range(0, side, settings.window):
                files.append(folder / f"{top}_{left}.png")
                part = scene[top : top + settings.window, left : left + settings.window]
                Image.fromarray(part).save(files[-1])
        return scene, files
    rasterio = optional_import("rasterio", "geo")
    options = {"driver": "GTiff", "dtype": "uint8", "count": 3, "height": side, "width": side}
    place = {"crs": "EPSG:32616", "transform": rasterio.Affine(0.5, 0, 733600, 0, -0.5, 3725140)}
    tiles = {"tiled": True, "blockxsize": 512, "blockysize": 512, "compress": "deflate"}
    with rasterio.open(folder / "scene.tif", "w", **options, **place, **tiles) as file:
        file.write(np.moveaxis(scene, 2, 0))
    return scene, [folder / "scene.tif"]


def plain(
    predictor: Predictor, scene: np.ndarray, windows: Windows, settings: argparse.Namespace
) -> int:
    """The loop that one would write; returns the number of windows."""
    mean = torch.tensor(IMAGENET_MEAN, device=predictor.device).view(-1, 1, 1)
    std = torch.tensor(IMAGENET_STD, device=predictor.device).view(-1, 1, 1)
    image = torch.from_numpy(scene.transpose(2, 0, 1).copy())
    starts = windows.starts(scene.shape[0])
    places = [(top, left) for top in starts for left in starts]
    labels = torch.empty(scene.shape[:2], dtype=torch.uint8)
    size = windows.size
    with torch.inference_mode():
        for first in range(0, len(places), settings.batch_size):
            chosen = places[first : first + settings.batch_size]
            parts = [image[:, top : top + size, left : left + size] for top, left in chosen]
            batch = (torch.stack(parts).to(predictor.device).float() - mean) / std
            found = predictor.model.network(batch).softmax(1).argmax(1).to(torch.uint8).cpu()
            for (top, left), part in zip(chosen, found, strict=True):
                labels[top : top + size, left : left + size] = part
    return len(places)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kind", choices=("raster", "folder"), default="raster")
    parser.add_argument("--side", type=int, default=1536, help="of the scene, in pixels")
    parser.add_argument("--window", type=int, default=512)
    parser.add_argument("--overlap", type=int, help="pixels (default: a quarter; folder: none)")
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--classes", type=int, default=5)
    parser.add_argument("--encoder", default="resnet18")
    parser.add_argument("--rounds", type=int, default=5)
    settings = parser.parse_args()
    overlap = settings.overlap
    if overlap is None:
        overlap = settings.window // 4 if settings.kind == "raster" else 0
    windows = Windows(settings.window, overlap)
    seconds: dict[str, list[float]] = {"ours": [], "plain": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "images").mkdir()
        predictor = network(folder, settings)
        scene, files = write_images(folder / "images", settings)
        count = 0
        for number in range(settings.rounds + 1):  # the first warms up
            began = time.perf_counter()
            with contextlib.redirect_stderr(io.StringIO()):
                predict(
                    predictor, files, folder / f"out{number}", windows=windows,
                    batch_size=settings.batch_size,
                )  # fmt: skip
            middle = time.perf_counter()
            count = plain(predictor, scene, windows, settings)
            if number:
                seconds["ours"].append(middle - began)
                seconds["plain"].append(time.perf_counter() - middle)
    ratios = [p / o for o, p in zip(seconds["ours"], seconds["plain"], strict=True)]
    rows = [(name, f"{count / statistics.median(found):.2f}") for name, found in seconds.items()]
    print(f"{settings.kind} of {settings.side} x {settings.side} pixels, {count} windows, ", end="")
    print(f"{settings.encoder} U-Net, {settings.classes} classes, {predictor.device}\n")
    print(markdown(("", "windows/s"), rows))
    print(
        f"\nratio, median of {settings.rounds}: {statistics.median(ratios):.3f} "
        f"({min(ratios):.3f} to {max(ratios):.3f})"
    )


if __name__ == "__main__":
    main()
