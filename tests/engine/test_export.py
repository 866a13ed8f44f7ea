"""Exported networks compute what PyTorch does, and say what they need."""

import json
import os
import re
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from segnoise.engine import checkpoint as checkpoints
from segnoise.engine import export as exports
from segnoise.engine.export import about, export, sample
from segnoise.engine.model import build_model
from segnoise.engine.predict import predict
from segnoise.engine.predictor import Predictor
from segnoise.errors import CheckpointError, ConfigError
from segnoise.models.inference import Inference
from segnoise.models.windows import Windows

pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")
from segnoise.tools import export as export_tool
from segnoise.tools import predict as predict_tool

from segnoise.engine.onnx_predictor import OnnxPredictor

CLASSES = ("background", "tree", "house")
PALETTE = ((0, 0, 0), (0, 200, 0), (200, 0, 0))
SIZES = [(1, 37, 90), (2, 64, 64), (1, 20, 150)]


class OneSize(nn.Module):
    """A convolution that is another one for every size of images."""

    def __init__(self, classes: int = 3) -> None:
        super().__init__()
        self.inner = nn.Conv2d(3, classes, 3, padding=1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.inner(image) * len(range(image.shape[-1]))


class Small(nn.Module):
    """Two convolutions, the outer one at half the size."""

    def __init__(self, channels: int = 3, classes: int = 3) -> None:
        super().__init__()
        self.inner = nn.Sequential(
            nn.Conv2d(channels, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(),
            nn.ConvTranspose2d(8, classes, 2, 2),
        )  # fmt: skip

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.inner(image)


def predictor_of(folder, model, image=None, inference=None, classes=3, seed=0):
    """A checkpoint of random weights whose classes all occur, as a run leaves it."""
    torch.manual_seed(seed)
    known = {
        "classes": list(CLASSES[:classes]), "palette": [list(c) for c in PALETTE[:classes]],
        "ignore_index": 255, **({"image": image} if image else {}),
    }  # fmt: skip
    config = {
        "model": model, "inference": inference or {}, "methods": [], "losses": [{"type": "CE"}],
        "train_data": {"type": "FolderDataset"}, "noise": {"type": "RegionSwap"},
    }  # fmt: skip
    built = build_model(config, known)
    if built.data_preprocessor.lacks_statistics:
        channels = len(built.data_preprocessor.mean)
        built.data_preprocessor.set_statistics([300.0] * channels, [99.0] * channels)
    meta = {
        "config": json.dumps(config),
        "iter": 7,
        "dataset": known,
        "best": {"iter": 7, "mIoU": 61.27},
    }
    path = folder / "best.pth"
    checkpoints.save({"meta": meta, "state_dict": built.state_dict()}, path)
    return Predictor(path, device="cpu", allow_imports=[__name__])


def small(folder, **more):
    return predictor_of(folder, {"network": {"type": f"{__name__}.Small"}}, **more)


def smp_model(architecture, encoder="resnet18", **more):
    return {"architecture": architecture, "encoder": encoder, "encoder_weights": None, **more}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return small(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def onnx_file(checkpoint, tmp_path_factory):
    return export(checkpoint, tmp_path_factory.mktemp("onnx") / "model.onnx")


def agree(predictor, run, sizes=SIZES):
    for shape in sizes:
        images = sample(predictor, *shape)
        wanted, found = predictor.scores(images, Inference()), run(images)
        if wanted.shape[1] == 1:
            wanted = torch.cat((1 - wanted, wanted), 1)
        assert found.shape == wanted.shape
        assert float((found - wanted).abs().max()) < 1e-4
        first, second = wanted.topk(2, 1).values.unbind(1)
        clear = first - second > 1e-5  # random weights make near ties
        assert clear.float().mean() > 0.99
        assert torch.equal(found.argmax(1)[clear], wanted.argmax(1)[clear])


def test_onnx_gives_the_checkpoints_scores_and_says_what_it_needs(checkpoint, onnx_file):
    found = OnnxPredictor(onnx_file, device="cpu")
    agree(checkpoint, lambda images: found.scores(images, Inference()))
    for name in ("classes", "palette", "ignore_index", "image", "inference"):
        assert getattr(found, name) == getattr(checkpoint, name), name
    stored = found._session.get_modelmeta().custom_metadata_map
    assert {key: json.loads(value) for key, value in stored.items()} == json.loads(
        json.dumps(about(checkpoint))
    )
    assert json.loads(stored["mean"]) == pytest.approx([123.675, 116.28, 103.53])
    assert str(Path(__file__).parent).encode() not in onnx_file.read_bytes()


BANDS = {"channels": 5, "bands": [1, 2, 3, 4, 7], "dtype": "uint16", "image_range": None}


@pytest.mark.parametrize(
    ("model", "image", "inference", "classes"),
    [
        pytest.param({"network": {"channels": 5}}, BANDS, {}, 3, id="bands"),
        *(
            pytest.param(*each, id=name, marks=pytest.mark.slow)
            for name, each in {
                "binary": ({"mode": "binary", "network": {"classes": 1}}, None, {}, 2),
                "own mean": ({"preprocessor": {"normalize": "image"}}, None, {}, 3),
                "resized": (
                    {"preprocessor": {"normalize": (0, 255)}, "channels_last": True},
                    None,
                    {"size": (48, 32)},
                    3,
                ),
            }.items()
        ),
    ],
)
def test_torch_export_of_every_kind_of_images(tmp_path, model, image, inference, classes):
    network = {"type": f"{__name__}.Small", **model.get("network", {})}
    predictor = predictor_of(
        tmp_path, {**model, "network": network}, image, inference, classes=classes
    )
    path = export(predictor, tmp_path / "model.pt2", "torch")
    kept = {"segnoise.json": ""}
    run = torch.export.load(path, extra_files=kept).module()
    agree(predictor, run, [(1, 37, 90), (2, 64, 66)])
    known = json.loads(kept["segnoise.json"])
    assert known["classes"] == list(CLASSES[:classes])
    assert known["input"] == ("uint8" if image is None and not inference else "float32")
    assert known["bands"] == (image or {}).get("bands")
    own = model.get("preprocessor", {}).get("normalize") == "image"
    assert (known["mean"] is None) == own
    with zipfile.ZipFile(path) as archive:
        parts = [archive.read(name) for name in archive.namelist()]
    assert not any(str(Path(__file__).parent).encode() in part for part in parts)


def picture(path, height, width, seed=0):
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), np.uint8)
    Image.fromarray(small.repeat(8, 0).repeat(8, 1)[:height, :width]).save(path)
    return path


@pytest.mark.parametrize("views", [{}, pytest.param({"flip": True}, marks=pytest.mark.slow)])
def test_pictures_and_rasters_are_predicted_as_by_the_checkpoint(
    checkpoint, onnx_file, tmp_path, views
):
    rasterio = pytest.importorskip("rasterio")
    files = [picture(tmp_path / f"{n}.png", 50 + n, 70, n) for n in range(2)]
    profile = {"driver": "GTiff", "count": 3, "height": 90, "width": 80, "dtype": "uint8"}
    with rasterio.open(
        tmp_path / "scene.tif", "w", **profile, crs="EPSG:32616",
        transform=rasterio.Affine(1, 0, 5e5, 0, -1, 4e6),
    ) as scene:  # fmt: skip
        scene.write(np.moveaxis(np.array(Image.open(picture(tmp_path / "s.bmp", 90, 80))), 2, 0))
    networks = {
        "a": Predictor(checkpoint.path, device="cpu", views=views, allow_imports=[__name__]),
        "b": OnnxPredictor(onnx_file, device="cpu", views=views),
    }
    for name, network in networks.items():
        predict(network, files, tmp_path / name)
        predict(
            network, [tmp_path / "scene.tif"], tmp_path / name / "scenes", windows=Windows(48, 16)
        )
    for name in ("0.png", "1.png"):
        found = [np.array(Image.open(tmp_path / each / name)) for each in networks]
        assert np.array_equal(*found)
        assert len(np.unique(found[0])) > 1
    scenes = [rasterio.open(tmp_path / each / "scenes/scene.tif").read() for each in networks]
    assert np.array_equal(*scenes)


@pytest.mark.slow
@pytest.mark.parametrize(
    "inference",
    [
        {"mode": "slide", "crop_size": (32, 48)},
        {"size": (40, 64), "scales": (1.0, 1.5)},
    ],
    ids=["slide", "resized"],
)
def test_the_configs_inference_is_kept(tmp_path, inference):
    predictor = small(tmp_path, inference=inference)
    found = OnnxPredictor(export(predictor, tmp_path / "model.onnx"), device="cpu")
    image = np.array(Image.open(picture(tmp_path / "a.png", 70, 100)))
    wanted, given = (each.probabilities(image) for each in (predictor, found))
    assert float((wanted - given).abs().max()) < 1e-4
    assert torch.equal(wanted.argmax(0), given.argmax(0))


def test_one_size_is_found_and_named(tmp_path):
    predictor = predictor_of(tmp_path, {"network": {"type": f"{__name__}.OneSize"}})
    with pytest.raises(ConfigError, match=r"any size .*--size 512 512"):
        export(predictor, tmp_path / "a.pt2", "torch")
    path = export(predictor, tmp_path / "a.pt2", "torch", size=(40, 64))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.pt2", "best.pth"]
    agree(predictor, torch.export.load(path).module(), [(1, 40, 64), (4, 40, 64)])


@pytest.mark.slow
def test_onnx_of_one_size_says_which(tmp_path):
    predictor = predictor_of(tmp_path, {"network": {"type": f"{__name__}.OneSize"}})
    with pytest.raises(ConfigError, match=r"any size .*--size 512 512"):
        export(predictor, tmp_path / "a.onnx")
    found = OnnxPredictor(export(predictor, tmp_path / "a.onnx", size=(40, 64)), device="cpu")
    agree(predictor, lambda images: found.scores(images, Inference()), [(1, 40, 64), (4, 40, 64)])
    with pytest.raises(ConfigError, match=r"images of 40x64, these are 40x60.*--window 40"):
        found.probabilities(np.zeros((40, 60, 3), np.uint8))


def test_a_file_that_computes_something_else_does_not_appear(checkpoint, tmp_path, monkeypatch):
    monkeypatch.setattr(
        exports.ImageToProbabilities, "forward", lambda self, x: self.network(x.float()).softmax(1)
    )
    with pytest.raises(ConfigError, match=r"differ by \d.*another class"):
        export(checkpoint, tmp_path / "a.pt2", "torch", size=(64, 64))
    assert not list(tmp_path.iterdir())


def test_the_command_keeps_what_is_there(checkpoint, tmp_path, capsys):
    file = tmp_path / "a.pt2"
    file.write_text("mine")

    def run(*more):
        given = ["--allow-imports", __name__, str(checkpoint.path), *map(str, more)]
        return export_tool.main(given), capsys.readouterr()

    code, said = run("--format", "torch", "--out", file)
    assert (code, file.read_text()) == (2, "mine")
    assert "give --overwrite" in said.err
    code, said = run("--format", "torch", "--out", file, "--size", 64, 64, "--overwrite")
    assert (code, said.out) == (0, f"{file}: computes what PyTorch does\n")
    agree(checkpoint, torch.export.load(file).module(), [(1, 64, 64)])
    for name, format in (("a.pth", "torch"), ("a", "onnx")):
        code, said = run("--format", format, "--out", tmp_path / name)
        assert code == 2
        assert "name a file that ends in" in said.err


def test_the_predict_command_reads_onnx(onnx_file, tmp_path, capsys):
    image = picture(tmp_path / "a.png", 40, 50)
    given = [str(onnx_file), str(image), "--device", "cpu", "--out", str(tmp_path / "out")]
    assert predict_tool.main(given) == 0
    assert np.array(Image.open(tmp_path / "out/a.png")).shape == (40, 50)
    for more, words in (
        (["--bf16"], "are for checkpoints"),
        (["--scales", "2"], "takes bytes"),
        (["--device", "mps"], "onnxruntime computes on"),
    ):
        assert predict_tool.main([*given, *more]) == 2
        assert words in capsys.readouterr().err


def test_what_is_missing_is_named(checkpoint, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(ConfigError, match=r"pip install 'segnoise\[export\]'"):
        export(checkpoint, tmp_path / "a.onnx")


def test_files_of_others_are_refused(checkpoint, onnx_file, tmp_path):
    import onnx

    model = onnx.load(onnx_file)
    for props, words in (([], "is not of `segnoise export`"), (["classes"], "damaged")):
        kept = [prop for prop in model.metadata_props if prop.key not in props] if props else []
        other = onnx.ModelProto.FromString(model.SerializeToString())
        del other.metadata_props[:]
        other.metadata_props.extend(kept)
        onnx.save(other, tmp_path / "b.onnx")
        with pytest.raises(CheckpointError, match=words):
            OnnxPredictor(tmp_path / "b.onnx", device="cpu")
    (tmp_path / "c.onnx").write_text("no model")
    with pytest.raises(CheckpointError, match="onnxruntime cannot read it"):
        OnnxPredictor(tmp_path / "c.onnx", device="cpu")
    with pytest.raises(ConfigError, match="hub folder takes images of any size"):
        export(checkpoint, tmp_path / "hub", "hub", size=(32, 32))
    with pytest.raises(ConfigError, match="Small is no architecture"):
        export(checkpoint, tmp_path / "hub", "hub")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["multiclass", "binary", "bands", "own mean"])
def test_a_hub_folder_is_loaded_as_its_card_says(tmp_path, kind):
    more = {
        "binary": {"mode": "binary"},
        "own mean": {"preprocessor": {"normalize": "image"}},
    }.get(kind, {})
    image = {"channels": 2, "bands": [2, 1], "dtype": "float32", "image_range": None}
    predictor = predictor_of(
        tmp_path,
        smp_model("Unet", **more),
        image=image if kind == "bands" else None,
        classes=2 if kind == "binary" else 3,
    )
    folder = export(predictor, tmp_path / "hub", "hub")
    card = (folder / "README.md").read_text()
    code = re.search(r"```python\n(.*?)```", card, re.DOTALL)[1].replace("FOLDER", str(folder))
    names: dict = {}
    exec(code, names)
    agree(predictor, names["probabilities"])
    assert json.loads((folder / "segnoise.json").read_text()) == json.loads(
        json.dumps(about(predictor))
    )
    for words in ("tree", "#00c800", "FolderDataset", "RegionSwap", "61.3 %"):
        assert words in card
    assert str(tmp_path) not in card.replace(str(folder), "")
    with pytest.raises(ConfigError, match="--overwrite"):
        export(predictor, folder, "hub")
    export(predictor, folder, "hub", overwrite=True)


ANY_SIZE = {
    "onnx": ["Unet", "UnetPlusPlus", "MAnet", "Linknet", "FPN", "DeepLabV3", "DeepLabV3Plus",
             "Segformer", "PAN"],
    "torch": ["Unet", "UnetPlusPlus", "MAnet", "Linknet", "FPN", "DeepLabV3", "DeepLabV3Plus",
              "Segformer", "PSPNet", "UPerNet"],
}  # fmt: skip
ONE_SIZE = [("onnx", "PSPNet"), ("torch", "PAN"), ("onnx", "UPerNet")]
TRANSFORMER = ["torch", "onnx"]
if not os.environ.get("SEGNOISE_ALL_ARCHITECTURES"):  # which takes minutes
    TRANSFORMER = TRANSFORMER[:1]
    ANY_SIZE = {"onnx": ["Unet", "DeepLabV3Plus"], "torch": ["Unet", "PSPNet"]}
    ONE_SIZE = ONE_SIZE[:2]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("format", "architecture"), [(f, a) for f, names in ANY_SIZE.items() for a in names]
)
def test_architectures_of_any_size(tmp_path, format, architecture):
    predictor = predictor_of(tmp_path, smp_model(architecture))
    path = export(predictor, tmp_path / f"a{exports.FORMATS[format]}", format)
    sizes = [(1, 145, 290), (2, 192, 160), (3, 129, 128)]
    if format == "torch":
        run = torch.export.load(path).module()
    else:
        found = OnnxPredictor(path, device="cpu")
        run = lambda images: found.scores(images, Inference())  # noqa: E731
    agree(predictor, run, sizes)


@pytest.mark.slow
@pytest.mark.parametrize(("format", "architecture"), ONE_SIZE)
def test_architectures_of_one_size(tmp_path, format, architecture):
    predictor = predictor_of(tmp_path, smp_model(architecture))
    with pytest.raises(
        ConfigError, match=rf"{architecture} cannot be exported as {format}.*--size"
    ):
        export(predictor, tmp_path / f"a{exports.FORMATS[format]}", format)
    export(predictor, tmp_path / f"a{exports.FORMATS[format]}", format, size=(130, 160))


@pytest.mark.slow
@pytest.mark.parametrize("format", TRANSFORMER)
def test_a_transformer_says_which_size_it_wants(tmp_path, format):
    model = smp_model("DPT", "tu-vit_tiny_patch16_224")
    predictor = predictor_of(tmp_path, model, inference={"size": (224, 224)})
    path = tmp_path / f"a{exports.FORMATS[format]}"
    with pytest.raises(ConfigError, match="--size 224 224"):
        export(predictor, path, format)
    export(predictor, path, format, size=(224, 224))
