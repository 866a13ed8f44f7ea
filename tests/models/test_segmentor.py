"""The Segmentor: losses add up as configured, any network fits, errors say how to go on."""

import pytest
import torch
from torch import nn

from segnoise.errors import CheckpointError, ConfigError
from segnoise.losses import build_loss, class_weights
from segnoise.models import Segmentor
from segnoise.models.network import build_network


def conv(outputs=3):
    torch.manual_seed(0)
    return nn.Conv2d(3, outputs, 3, padding=1)


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    mask = torch.randint(0, 3, (2, 32, 32), generator=generator)
    mask[:, :4] = 255
    return torch.randn(2, 3, 32, 32, generator=generator), mask


def test_losses_are_weighted_and_named(batch):
    network = conv()
    model = Segmentor(
        num_classes=3,
        network=network,
        losses=[
            {"type": "ANL-CE", "alpha": 2.0, "beta": 0.5},
            {"type": "CE", "weight": 0.5, "name": "plain"},
            {"type": "ER", "weight": 2.0},
            {"type": "L1", "weight": 1e-3},
        ],
    )
    values = model(*batch, mode="loss")
    logits = network(batch[0])
    common = {"mode": "multiclass", "ignore_index": 255}
    expected = {
        "loss_anl_ce": build_loss("ANL-CE", **common, alpha=2.0, beta=0.5)(logits, batch[1]),
        "loss_plain": 0.5 * build_loss("CE", **common)(logits, batch[1]),
        "loss_er": 2 * build_loss("ER", **common)(logits, batch[1]),
        "loss_l1": 1e-3 * sum(p.abs().sum() for p in network.parameters()),
    }
    assert values.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(values[name], value, msg=name)


def test_prediction_is_the_class_with_the_highest_score(batch):
    model = Segmentor(num_classes=3, network=conv()).eval()
    found = model(batch[0], sample_id=["a", "b"], mode="predict")
    assert [f["sample_id"] for f in found] == ["a", "b"]
    labels = torch.stack([f["prediction"] for f in found])
    assert torch.equal(labels, model(batch[0]).argmax(1))


def test_binary_mode_has_one_logit():
    model = Segmentor(
        num_classes=2,
        mode="binary",
        architecture="Unet",
        encoder="resnet18",
        encoder_weights=None,
        losses=[{"type": "CE", "class_weights": [1.0, 3.0]}],
    )
    image = torch.randn(2, 3, 32, 32)
    mask = torch.randint(0, 2, (2, 32, 32))
    assert model(image).shape == (2, 1, 32, 32)
    assert model(image, mask, mode="loss")["loss_ce"] > 0
    model.eval()
    found, _ = model(image, mode="predict")
    assert torch.equal(found["prediction"], (model(image)[0, 0] > 0).long())


@pytest.mark.parametrize("architecture", ["DeepLabV3Plus", "FPN", "Segformer"])
def test_any_architecture_of_smp(architecture):
    model = Segmentor(4, architecture=architecture, encoder="resnet18", encoder_weights=None).eval()
    assert model(torch.zeros(1, 3, 64, 64)).shape == (1, 4, 64, 64)


def test_channels_last_changes_the_layout_and_not_the_numbers(batch):
    plain = Segmentor(3, network=conv()).eval()
    other = Segmentor(3, network=conv(), channels_last=True).eval()
    assert other.network.weight.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(plain(batch[0]), other(batch[0]))


def test_compiling_keeps_the_names_of_the_weights():
    keys = Segmentor(3, network=conv(), compile=True).state_dict().keys()
    assert keys == Segmentor(3, network=conv()).state_dict().keys()


def test_new_losses_take_the_place_of_the_old(batch):
    model = Segmentor(3, network=conv(), losses=[{"type": "CE"}])
    model.set_losses([{"type": "GCE", "class_weights": [1, 2, 3]}])
    assert list(model(*batch, mode="loss")) == ["loss_gce"]
    assert list(model.state_dict()) == ["network.weight", "network.bias"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"losses": [{"type": "ANL"}]}, r"losses\.0: no loss called 'ANL'.*ANL-"),
        ({"losses": [{"type": "GCE", "qq": 1}]}, r"losses\.0: GCE has no parameter 'qq'"),
        ({"losses": [{"type": "GCE", "q": 0}]}, r"losses\.0: .*0"),
        ({"losses": [{"alpha": 1}]}, r"losses\.0 has no 'type'"),
        ({"losses": [{"type": "CE"}, {"type": "CE"}]}, "second loss called 'ce'"),
        ({"losses": [{"type": "CE", "class_weights": [1, 2]}]}, "2 numbers for 3 classes"),
        ({"mode": "multi"}, "'multi'"),
        ({"mode": "binary"}, "2 classes, the data set has 3"),
    ],
)
def test_bad_arguments(arguments, words):
    with pytest.raises(ConfigError, match=words):
        Segmentor(3, network=conv(), **arguments)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("UNet", "resnet18", None), "unknown architecture 'UNet'; did you mean Unet"),
        (("Unet", "resnet19", None), "unknown encoder 'resnet19'; did you mean resnet1"),
        (("Unet", "tu-resnet1855", None), "tu-resnet1855"),
        (("Unet", "resnet18", "imagnet"), "no published weights 'imagnet'; known: imagenet"),
        (("Unet", "tu-resnet18", "imagnet"), "timm.*'imagenet'; got 'imagnet'"),
        (("Unet", "resnet18", "/nowhere/a.pth"), "no file /nowhere/a.pth"),
    ],
)
def test_bad_networks(arguments, words):
    with pytest.raises(ConfigError, match=words):
        build_network(*arguments, num_outputs=3)


def test_an_unknown_option_of_the_architecture():
    with pytest.raises(
        ConfigError, match=r"no option 'decoder_chanels'; did you mean decoder_chan"
    ):
        build_network("Unet", "resnet18", None, 3, decoder_chanels=(1,))


@pytest.mark.parametrize("encoder", ["resnet18", "tu-resnet18"])
def test_no_internet_is_said_at_once_with_the_way_on(monkeypatch, encoder):
    import socket

    def unreachable(*_, **__):
        raise OSError("Network is unreachable")

    monkeypatch.setattr(socket, "create_connection", unreachable)
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_, **__: None)
    with pytest.raises(ConfigError, match=r"unreachable.*encoder_weights=None.*local"):
        build_network("Unet", encoder, "imagenet", 3)


def test_local_encoder_weights(tmp_path):
    source = build_network("Unet", "resnet18", None, 3)
    torch.save(source.encoder.state_dict(), tmp_path / "encoder.pth")
    loaded = build_network("Unet", "resnet18", str(tmp_path / "encoder.pth"), 5)
    for key, value in source.encoder.state_dict().items():
        assert torch.equal(loaded.encoder.state_dict()[key], value)
    with pytest.raises(CheckpointError, match="does not fit the encoder"):
        build_network("Unet", "resnet34", str(tmp_path / "encoder.pth"), 5)
    (tmp_path / "broken.pth").write_bytes(b"not a checkpoint")
    with pytest.raises(CheckpointError, match=r"broken\.pth: damaged or not a check"):
        build_network("Unet", "resnet18", str(tmp_path / "broken.pth"), 5)


def test_encoder_files_of_other_programs(tmp_path, capsys):
    source = build_network("Unet", "resnet18", None, 3)
    encoder = source.encoder.state_dict()
    old = {k: v for k, v in encoder.items() if not k.endswith("num_batches_tracked")}
    files = {
        "counters of batch norm are missing": old,
        "2 tensors of it are not the encoder's (fc.weight, ...)": {
            **encoder, "fc.weight": torch.ones(5, 512), "fc.bias": torch.ones(5),
        },
        "": {"model": {f"module.{k}": v for k, v in encoder.items()}, "epoch": 3},
        "tensors of it are not the encoder's (decoder.": source.state_dict(),
    }  # fmt: skip
    for words, state in files.items():
        torch.save(state, tmp_path / "encoder.pth")
        loaded = build_network("Unet", "resnet18", str(tmp_path / "encoder.pth"), 5).encoder
        for key, value in old.items():
            assert torch.equal(loaded.state_dict()[key], value), key
        said = capsys.readouterr().out
        assert words in said
        assert bool(words) == ("Note: " in said)
    for state in ([1], {"state_dict": [1]}, {"x": torch.ones(2)}, {**old, "conv1.weight": 3}):
        torch.save(state, tmp_path / "encoder.pth")
        with pytest.raises(CheckpointError, match=r"encoder\.pth: .*does not fit the encoder"):
            build_network("Unet", "resnet18", str(tmp_path / "encoder.pth"), 5)


def test_a_loss_that_remembers_is_told_the_samples(batch):
    losses = [{"type": "ELR"}]
    model = Segmentor(num_classes=3, network=conv(), losses=losses)
    image, mask = batch
    model(image, mask, sample_id=["a", "b"], mode="loss")
    assert set(model.losses["elr"].state_dict()) == {"means.a", "means.b"}


def test_losses_of_two_views_need_a_loop_of_their_own():
    with pytest.raises(ConfigError, match=r"losses\.0: GJS compares two views"):
        Segmentor(num_classes=3, network=conv(), losses=[{"type": "GJS"}])


def test_class_weights_of_each_batch(batch):
    entry = {"type": "GCE", "class_weights": "batch_inverse_sqrt"}
    network = conv()
    model = Segmentor(num_classes=3, network=network, losses=[entry])
    value = model(*batch, mode="loss")["loss_gce"]
    counts = torch.bincount(batch[1][batch[1] != 255], minlength=3)
    loss = build_loss(
        "GCE", mode="multiclass", ignore_index=255, class_weights=class_weights(counts)
    )
    torch.testing.assert_close(value, loss(network(batch[0]), batch[1]))
