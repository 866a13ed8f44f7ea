"""Trained networks for other programs: ONNX, torch.export, and folders for the Hugging Face hub."""

from __future__ import annotations

import io
import json
import logging
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import Any

import segmentation_models_pytorch as smp
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segnoise.checks import check_choice, check_sides
from segnoise.datasets.files.bands import optional_import
from segnoise.engine.model_card import model_card
from segnoise.engine.predictor import Predictor
from segnoise.errors import CheckpointError, ConfigError, words_of
from segnoise.files import replacing, write_json, write_text
from segnoise.metrics.scores import greatest_class
from segnoise.models.inference import Inference
from segnoise.models.preprocessor import Preprocessor
from segnoise.output_folder import claim
from segnoise.version import __version__

FORMATS = {"onnx": ".onnx", "torch": ".pt2", "hub": ""}
"""What can be written, and how its files end; of "hub" it is a folder."""

KIND = "an exported network"
ABOUT = "segnoise.json"
TOLERANCE = 1e-4  # of probabilities, against PyTorch
_TIE = 1e-5  # classes whose probabilities are nearer may change places

Run = Callable[[Tensor], Tensor]


class ImageToProbabilities(nn.Module):
    """A network with what belongs around it: images as they were read in, probabilities out.

    Args:
        network: (N, C, h, w) -> logits (N, K, h, w), and further outputs, which are left out.
        preprocessor: how images are normalised, and what their sides are padded to.
        outputs: K, or 1 for two classes.

    Example:
        >>> whole = ImageToProbabilities(nn.Conv2d(3, 4, 1), Preprocessor(), outputs=4)
        >>> whole(torch.zeros(1, 3, 50, 70, dtype=torch.uint8)).shape
        torch.Size([1, 4, 50, 70])
    """

    def __init__(self, network: nn.Module, preprocessor: Preprocessor, outputs: int) -> None:
        super().__init__()
        self.network, self.preprocessor, self.outputs = network, preprocessor, outputs

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) in the training images' own numbers -> (N, K, H, W) float32, at least 2."""
        height, width = images.shape[-2:]
        divisor = self.preprocessor.size_divisor
        padded = F.pad(
            self.preprocessor.normalized(images), (0, -width % divisor, 0, -height % divisor)
        )
        logits = self.network(padded)[:, : self.outputs].float()
        # No slices: torch.export would ask of each whether it leaves something out, and then
        # refuse images of which the other is true.
        for axis, length in ((2, height), (3, width)):
            logits = logits.index_select(axis, torch.arange(length, device=logits.device))
        if self.outputs == 1:
            scores = logits.sigmoid()
            return torch.cat((1 - scores, scores), 1)
        return logits.softmax(1)


def export(
    predictor: Predictor,
    path: str | Path,
    format: str = "onnx",
    *,
    size: tuple[int, int] | None = None,
    overwrite: bool = False,
) -> Path:
    """Write a trained network for other programs, and see that it computes what PyTorch does.

    "onnx" and "torch" are a file that maps images (N, C, H, W) in the training images' own numbers
    to probabilities (N, K, H, W): normalisation, padding and softmax are inside, classes and what
    images it reads (:func:`about`) are ONNX metadata, or ``segnoise.json`` in the .pt2. "hub" is
    the folder that segmentation_models_pytorch's ``save_pretrained`` writes, with
    ``segnoise.json`` and a model card. What the config's inference does to images (sizes, windows,
    scales, flips) is not inside.

    The file is read back and run on images of other sizes and another number; it appears only
    where its probabilities are PyTorch's within 1e-4, and its classes too.

    Args:
        predictor: the network, on the CPU.
        path: a file ``.onnx`` or ``.pt2``, or the hub's folder.
        format: "onnx", "torch" or "hub".
        size: (height, width) of all images, for networks that cannot be exported for any.
        overwrite: replace what is there.

    Raises:
        ConfigError: if the path cannot be used, a library is missing, or the network cannot be
            exported so, with how it can.
        CheckpointError: if its scores are not finite.
    """
    check_choice("format", format, tuple(FORMATS))
    path, size = Path(path), None if size is None else check_sides("size", size)
    if format == "hub":
        if size is not None:
            raise ConfigError("--size is for onnx and torch: a hub folder takes images of any size")
        return _export_folder(predictor, path, overwrite)
    if path.suffix != FORMATS[format] or path.is_dir():
        raise ConfigError(f"--out {path}: name a file that ends in {FORMATS[format]}")
    if os.path.lexists(path) and not overwrite:
        raise ConfigError(f"{path} exists: name another file by --out, or give --overwrite")
    if format == "onnx":
        for library in ("onnxscript", "onnxruntime"):
            optional_import(library, "export")
    write = _write_onnx if format == "onnx" else _write_torch
    model = predictor.model
    module = ImageToProbabilities(model.network, model.data_preprocessor, model.class_outputs)
    module.eval().requires_grad_(False)
    batches = [sample(predictor, *shape) for shape in _shapes(model, size)]
    wanted = [_reference(predictor, images, size) for images in batches]
    with replacing(path) as temporary:
        try:
            with _quiet(), torch.no_grad():
                run = write(module, batches[0], size is None, about(predictor, size), temporary)
                fault = _fault(run, batches, wanted)
        except OSError:
            raise
        except Exception as error:  # what torch, onnxscript and onnxruntime please to raise
            fault = _line(error)
        if fault is not None:
            raise ConfigError(_remedy(predictor, format, size, fault))
    return path


def about(predictor: Predictor, size: tuple[int, int] | None = None) -> dict[str, Any]:
    """What a user of an exported network must know, ready for JSON.

    ``input`` is the type of its images, ``size`` (height, width) of all of them where it is fixed;
    mean and std are None where each image is normalised by its own.
    """
    preprocessor, inference = predictor.model.data_preprocessor, predictor.inference
    own = preprocessor.per_image
    return {
        "segnoise": __version__,
        "classes": list(predictor.classes),
        "palette": [list(color) for color in predictor.palette],
        "ignore_index": predictor.ignore_index,
        **predictor.image,
        "mean": None if own else _decimals(preprocessor.mean),
        "std": None if own else _decimals(preprocessor.std),
        "size_divisor": preprocessor.size_divisor,
        "input": "uint8" if _takes_bytes(predictor) else "float32",
        "size": size,
        "inference": asdict(inference),
    }


def _decimals(values: Tensor) -> list[float]:
    """Numbers as people wrote them: float32 has seven digits."""
    return [float(f"{value:.7g}") for value in values.flatten().tolist()]


def _takes_bytes(predictor: Predictor) -> bool:
    """Whether images are bytes; those that are resized before are no longer."""
    resized = predictor.inference.size is not None or predictor.inference.scales != (1.0,)
    return predictor.image["dtype"] == "uint8" and not resized


def sample(predictor: Predictor, number: int, height: int, width: int) -> Tensor:
    """Images of colored squares, in the range of the training images: (N, C, H, W)."""
    generator = torch.Generator().manual_seed(number)
    channels, preprocessor = predictor.image["channels"], predictor.model.data_preprocessor
    small = torch.rand(number, channels, height // 8 + 1, width // 8 + 1, generator=generator)
    images = small.repeat_interleave(8, 2).repeat_interleave(8, 3)[..., :height, :width]
    if predictor.image["dtype"] == "uint8" or preprocessor.per_image:
        images = (255 * images).round()
    else:
        images = preprocessor.mean + preprocessor.std * 3 * (images - 0.5)
        if float(preprocessor.mean.max()) > 1:
            images = images.clamp_min(0)
    return images.to(torch.uint8 if _takes_bytes(predictor) else torch.float32)


def _shapes(model: Any, size: tuple[int, int] | None) -> list[tuple[int, int, int]]:
    """(N, H, W) of the images it is exported with, and of others: another number, other sides."""
    if size is not None:
        return [(2, *size), (1, *size), (3, *size)]
    side = max(model.data_preprocessor.size_divisor, 32)
    return [
        (2, 4 * side + 3, 6 * side + 13), (1, 6 * side + 11, 4 * side + 22), (3, 4 * side, 5 * side)
    ]  # fmt: skip


def _reference(predictor: Predictor, images: Tensor, size: tuple[int, int] | None) -> Tensor:
    """Probabilities as PyTorch computes them, (N, K, H, W)."""
    try:
        scores = predictor.scores(images, Inference())
    except ConfigError as error:
        given = predictor.inference.size
        if size is None and given is not None:
            raise ConfigError(f"{error}; export it by --size {given[0]} {given[1]}") from None
        raise ConfigError(f"{error}; export it for one size of images by --size H W") from None
    if not bool(scores.isfinite().all()):
        raise CheckpointError(f"{predictor.path}: its scores are not finite; take another one")
    return scores if scores.shape[1] > 1 else torch.cat((1 - scores, scores), 1)


def _fault(run: Run, batches: list[Tensor], wanted: list[Tensor]) -> str | None:
    """How what a file computes differs from what it should; None if it does not."""
    for images, right in zip(batches, wanted, strict=True):
        shape = "x".join(map(str, images.shape))
        found = run(images)
        if found.shape != right.shape:
            return f"images {shape} give {tuple(found.shape)}, not {tuple(right.shape)}"
        worst = float((found - right).abs().max())
        chosen = right.gather(1, greatest_class(found)[:, None])
        wrong = int((right.amax(1, keepdim=True) - chosen > _TIE).sum())
        if not worst <= TOLERANCE or wrong:
            return (
                f"on images {shape} its probabilities differ by {worst:.1e} from PyTorch's, and "
                f"{wrong} pixels have another class"
            )
    return None


def _remedy(predictor: Predictor, format: str, size: tuple[int, int] | None, fault: str) -> str:
    name = type(predictor.model.network).__name__
    others = " or ".join(each for each in FORMATS if each != format)
    if size is not None:
        given = f"{size[0]}x{size[1]}"
        return (
            f"{name} cannot be exported as {format} for {given} ({fault}); take --format {others}"
        )
    height, width = predictor.inference.size or predictor.inference.crop_size or (512, 512)
    return (
        f"{name} cannot be exported as {format} for images of any size ({fault}); export it for "
        f"one, such as --size {height} {width}, or take --format {others}"
    )


def _write_onnx(
    module: nn.Module, images: Tensor, any_size: bool, known: dict[str, Any], path: Path
) -> Run:
    sides = {2: "height", 3: "width"} if any_size else {}
    program: Any = torch.onnx.export(
        module,
        (images,),
        dynamo=True,
        dynamic_shapes=({0: "batch", **sides},),
        input_names=["images"],
        output_names=["probabilities"],
        verbose=False,
    )
    for node in program.model.graph.all_nodes():
        node.metadata_props.clear()  # lines of source code, with paths of this machine
    for key, value in known.items():
        program.model.metadata_props[key] = json.dumps(value)
    program.save(path, external_data=False)
    session = open_session(path, ["CPUExecutionProvider"])
    return lambda images: torch.from_numpy(session.run(None, {"images": images.numpy()})[0])


def open_session(path: Path, providers: list[str]) -> Any:
    """An ONNX file as onnxruntime runs it; what goes wrong is raised, and not printed too."""
    runtime = optional_import("onnxruntime", "export")
    options = runtime.SessionOptions()
    options.log_severity_level = 4
    return runtime.InferenceSession(path, options, providers=providers)


def _write_torch(
    module: nn.Module, images: Tensor, any_size: bool, known: dict[str, Any], path: Path
) -> Run:
    dynamic = torch.export.Dim.DYNAMIC
    sides = {2: dynamic, 3: dynamic} if any_size else {}
    program = torch.export.export(module, (images,), dynamic_shapes=({0: dynamic, **sides},))
    for each in program.graph_module.modules():
        for node in each.graph.nodes if isinstance(each, torch.fx.GraphModule) else ():
            node.meta.pop("stack_trace", None)  # lines of source code, with paths of this machine
    torch.export.save(program, path, extra_files={ABOUT: json.dumps(known, indent=2)})
    run: Run = torch.export.load(path).module()
    return run


def _export_folder(predictor: Predictor, path: Path, overwrite: bool) -> Path:
    """A folder as segmentation_models_pytorch saves it, with what that leaves out."""
    model = predictor.model
    if not isinstance(model.network, smp.base.SegmentationModel):
        raise ConfigError(
            f"{type(model.network).__name__} is no architecture of segmentation_models_pytorch, "
            "which alone can be loaded from a hub folder; take --format onnx or torch"
        )
    batches = [sample(predictor, *shape) for shape in _shapes(model, predictor.inference.size)]
    wanted = [_reference(predictor, images, predictor.inference.size) for images in batches]
    with claim(path, KIND) as folder, tempfile.TemporaryDirectory() as made:
        if not overwrite:
            folder.refuse_finished()
        folder.clear()
        with _quiet():
            model.network.save_pretrained(made)
            loaded = smp.from_pretrained(made).eval()
        whole = ImageToProbabilities(loaded, model.data_preprocessor, model.class_outputs)
        with torch.no_grad():
            fault = _fault(whole, batches, wanted)
        if fault is not None:
            raise ConfigError(_remedy(predictor, "hub", predictor.inference.size, fault))
        known = about(predictor)
        written = ["config.json", "model.safetensors"]
        folder.expect([*written, ABOUT, "README.md"])
        for name in written:
            with replacing(path / name) as temporary:
                temporary.write_bytes((Path(made) / name).read_bytes())
        write_json(path / ABOUT, known)
        write_text(path / "README.md", model_card(predictor, known))
        folder.finish()
    return path


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the remarks of exporters, which are not the user's to mend."""
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with redirect_stdout(io.StringIO()):
                yield
    finally:
        logging.disable(disabled)


def _line(error: BaseException) -> str:
    """The first cause of an exporter's error, on a line of bounded length."""
    while error.__cause__ is not None:
        error = error.__cause__
    words = words_of(error)
    return words if len(words) <= 160 else f"{words[:157]}..."
