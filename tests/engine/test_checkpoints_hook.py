"""When the hook writes best.pth and last.pth."""

from types import SimpleNamespace

from segnoise.engine.hooks import Checkpoints


def test_best_is_written_when_beaten_and_last_when_due(tmp_path):
    written = []
    hook = Checkpoints(interval=2)
    for iteration, score in enumerate([10.0, float("nan"), 20.0, 20.0, 15.0], 1):
        runner = SimpleNamespace(
            iter=iteration,
            max_iters=5,
            train_loop=SimpleNamespace(interrupted=False, stop_training=False),
            work_dir=str(tmp_path),
            average_buffers=lambda: None,
            call_hook=lambda name: None,
            save=lambda path, meta, training_state=True, i=iteration: written.append(
                (i, path.name, meta["best"]["iter"], training_state)
            ),
        )
        hook.after_val_epoch(runner, {"mIoU": score})
        hook.after_iteration(runner)
    assert written == [
        (1, "last.pth", 1, True),
        (1, "best.pth", 1, False),
        (2, "last.pth", 1, True),
        (3, "last.pth", 3, True),
        (3, "best.pth", 3, False),
        (4, "last.pth", 3, True),
        (5, "last.pth", 3, True),
    ]
