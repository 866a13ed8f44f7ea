"""Diagnostics of memorisation in a run: right numbers, exact resume, nothing where not known."""

import json

import pytest
import tiny_training
import torch
from mmengine.hooks import Hook
from tiny_training import Stop
from torch import nn

from segnoise.engine import checkpoint
from segnoise.engine.hooks import memorisation
from segnoise.engine.schema import complete
from segnoise.engine.train import summary, train
from segnoise.metrics.memorisation import OUTCOMES, memorisation_counts

NOISE = {"type": "SymmetricFlip", "rate": 0.4}


class Recount(Hook):
    """Count by a forward pass of its own, with nothing random in the network."""

    def __init__(self):
        self.counts = []

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        batch = runner.model.data_preprocessor(data_batch, training=True)
        with torch.no_grad():
            logits = runner.model(batch["image"])
        guess = logits.argmax(1) if logits.shape[1] > 1 else (logits[:, 0] > 0).long()
        classes = max(2, logits.shape[1])
        self.counts.append(memorisation_counts(guess, batch["mask"], batch["clean_mask"], classes))


def run(root, resume=False, **changes):
    changes = {"noise": NOISE, "val_data": None, **changes}
    return tiny_training.run(root, resume, **changes)


def stored(result):
    return json.loads((result.folder / "memorisation.json").read_text())


def simple(outputs=5):
    return {"network": {"type": "torch.nn.Conv2d", "in_channels": 3, "out_channels": outputs,
                        "kernel_size": 1}}  # fmt: skip


def test_the_entries_are_counts_of_the_batches_since_the_one_before(tmp_path):
    recount = Recount()
    result = run(tmp_path, custom_hooks=[recount], model=simple())
    history = stored(result)
    assert history == result.memorisation
    # 8 iterations of 2 out of 6 images: epochs end after 3 and 6, the training after 8.
    assert [(e["iter"], e["epoch"]) for e in history] == [(3, 1.0), (6, 2.0), (8, 2.6667)]
    for entry, part in zip(history, (slice(0, 3), slice(3, 6), slice(6, 8)), strict=True):
        total = sum(recount.counts[part])
        for name, column in zip(entry["classes"], total.T, strict=True):
            wrong = int(column[:3].sum())
            assert entry["classes"][name]["wrong_pixels"] == wrong
            shares = [entry["classes"][name][o] for o in OUTCOMES[:3]]
            assert shares == pytest.approx((100 * column[:3] / wrong).tolist())
        assert entry["wrong_pixels"] == int(total[:3].sum())
        assert entry["given"] == pytest.approx(100 * float(total[0].sum() / total[:3].sum()))
        accuracy = 100 * float(total[3].sum() / total[3:].sum())
        assert entry["right_accuracy"] == pytest.approx(accuracy)
    lines = [json.loads(x) for x in (result.folder / "scalars.json").read_text().splitlines()]
    logged = [(x["step"], x["memorisation/true"]) for x in lines if "memorisation/true" in x]
    assert logged == [(e["iter"], e["true"]) for e in history]
    assert "right ones" in summary(result)


def test_many_epochs_share_entries(tmp_path, monkeypatch):
    whole = stored(run(tmp_path / "whole"))
    monkeypatch.setattr(memorisation, "_MOST", 2)  # entries are 4 iterations apart
    changes = {"checkpoint_interval": 2}
    history = stored(run(tmp_path / "rare", **changes))
    assert [(e["iter"], e["epoch"]) for e in history] == [(6, 2.0), (8, 2.6667)]
    assert history[0]["wrong_pixels"] == sum(e["wrong_pixels"] for e in whole[:2])
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", custom_hooks=[Stop(5)], **changes)
    assert stored(run(tmp_path / "cut", resume=True, **changes)) == history


class TwoClasses:
    """Phantoms with everything that is no background as one class."""

    def __init__(self, root, **arguments):
        from segnoise.datasets import Phantoms

        self.inner = Phantoms(root, **arguments)
        self.metainfo = {**self.inner.metainfo, "classes": ("nothing", "organ"),
                         "palette": ((0, 0, 0), (255, 0, 0))}  # fmt: skip

    def __len__(self):
        return len(self.inner)

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def load_mask(self, index):
        return (self.inner.load_mask(index) > 0).astype("uint8")

    def __getitem__(self, index):
        return {**self.inner[index], "mask": self.load_mask(index)}


def test_one_logit_stands_for_two_classes(tmp_path):
    recount = Recount()
    data = {"type": TwoClasses, "size": 32, "num_images": 6, "split": "train"}
    result = run(tmp_path, custom_hooks=[recount], model={**simple(1), "mode": "binary"},
                 train_data=data, losses=[{"type": "CE"}])  # fmt: skip
    total = sum(recount.counts[:3])
    entry = stored(result)[0]
    assert list(entry["classes"]) == ["nothing", "organ"]
    assert entry["true"] == pytest.approx(100 * float(total[1].sum() / total[:3].sum()))
    assert entry["other"] == 0


@pytest.mark.parametrize("at", [4, 6])
def test_a_resumed_run_has_the_entries_of_an_undisturbed_one(tmp_path, at):
    changes = {"checkpoint_interval": 2}
    whole = run(tmp_path / "whole", **changes)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", custom_hooks=[Stop(at + 1)], **changes)
    meta = checkpoint.load(tmp_path / "cut" / "run" / "last.pth")["meta"]
    assert meta["iter"] == at
    # Iteration 6 completes an epoch, 4 is amid one.
    assert (meta["memorisation"]["counts"] is None) == (at == 6)
    resumed = run(tmp_path / "cut", resume=True, **changes)
    assert stored(resumed) == stored(whole)
    assert run(tmp_path / "cut", resume=True, **changes).memorisation == whole.memorisation


def test_a_run_on_clean_labels_says_nothing(tmp_path):
    result = run(tmp_path, noise=None)
    assert result.memorisation == []
    assert not (result.folder / "memorisation.json").exists()
    assert "memorisation" not in (result.folder / "scalars.json").read_text()
    assert "memorisation" not in summary(result)


def test_overwriting_removes_the_entries(tmp_path):
    folder = run(tmp_path).folder
    assert (folder / "memorisation.json").exists()
    train(complete(tiny_training.config(tmp_path)), overwrite=True)
    assert not (folder / "memorisation.json").exists()


def test_the_observers_see_the_labels_as_given_and_no_graph():
    from segnoise.models import Segmentor

    model = Segmentor(5, network=nn.Conv2d(3, 5, 1), losses=[{"type": "CE"}])
    seen = []
    model.observers.append(lambda logits, batch: seen.append((logits, batch)))
    image, mask = torch.rand(1, 3, 8, 8), torch.zeros(1, 8, 8, dtype=torch.long)
    loss = model(image, mask, clean_mask=mask + 1, sample_id=["a"], mode="loss")
    assert loss["loss_ce"].requires_grad
    model(image)
    model(image, mode="predict")
    ((logits, batch),) = seen
    assert not logits.requires_grad
    assert batch["mask"] is mask
    assert batch["sample_id"] == ["a"]
    assert batch["ignore_index"] == 255
    assert int(batch["clean_mask"].min()) == 1
