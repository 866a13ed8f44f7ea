"""What only a GPU can show: mixed precision, its resume, and numbers equal to the CPU's."""

import naive_losses
import pytest
import tiny_training
import torch

from segnoise.engine import checkpoint
from segnoise.engine.config import load_config
from segnoise.engine.evaluate import evaluate
from segnoise.engine.schema import complete
from segnoise.engine.train import train

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device, none here"),
]


@pytest.mark.parametrize("amp", [None, "bf16", "fp16"])
@pytest.mark.parametrize("channels_last", [False, True])
def test_training_validates_saves_and_goes_on(tmp_path, amp, channels_last):
    model = {"network": {"type": tiny_training.network}, "channels_last": channels_last}
    config = complete(tiny_training.config(tmp_path, amp=amp, model=model, ema={"momentum": 0.1}))
    whole = train(config)
    assert whole.last["iter"] == 8
    saved = checkpoint.load(whole.folder / "last.pth")
    assert all(value.device.type == "cpu" for value in saved["state_dict"].values())
    assert train(load_config(whole.folder / "config.py"), resume=True).last == whole.last
    scores = evaluate(config, whole.folder / "last.pth", split="val")
    assert scores["mIoU"] == pytest.approx(whole.last["mIoU"], abs=0.5)


def test_a_loss_that_is_not_finite_stops_the_run_one_iteration_later(tmp_path):
    from mmengine.hooks import Hook

    from segnoise.errors import TrainingError

    class Poison(Hook):
        def before_train_iter(self, runner, batch_idx, data_batch=None):
            if batch_idx == 5:
                next(runner.network.parameters()).data.fill_(float("nan"))

    config = complete(tiny_training.config(tmp_path, custom_hooks=[Poison()]))
    with pytest.raises(TrainingError, match="iteration 6"):
        train(config)


@pytest.mark.parametrize(
    "name", [name for name in naive_losses.CASES if "multiclass" in naive_losses.modes(name)]
)
def test_losses_equal_the_cpus(name):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 7, 33, 17, generator=generator)
    labels = torch.randint(0, 7, (2, 33, 17), generator=generator)
    labels[:, :3] = 255
    case = (name, naive_losses.CASES[name])
    loss = naive_losses.make(case, "multiclass", 7, ignore_index=255)
    if name == "NLNL":
        pytest.skip("draws other classes on another device")
    results = []
    for device in ("cpu", "cuda"):
        scores = logits.to(device).requires_grad_()
        value = loss.to(device)(scores, labels.to(device))
        value.backward()
        results.append((value.detach().cpu(), scores.grad.cpu()))
    torch.testing.assert_close(results[1][0], results[0][0])
    torch.testing.assert_close(results[1][1], results[0][1])
