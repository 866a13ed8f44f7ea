"""Training by iterations, in an order that is a function of the iteration alone."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

import torch
import torch.distributed as dist
from mmengine.runner import BaseLoop
from torch.utils.data import DataLoader, Sampler

from segnoise.noise.seeding import generator


class DrawSampler(Sampler[list[int]]):
    """Batches of draw numbers of a :class:`segnoise.datasets.TrainingStream`.

    Iteration t of a run with global batch B (over all processes) holds the draws t B .. t B +
    B - 1, of which each process takes its part. What is drawn therefore depends on the
    iteration only, however the run was interrupted or divided.

    Example:
        >>> sampler = DrawSampler(batch_size=2, max_iters=3, rank=1, world_size=2)
        >>> sampler.start = 1
        >>> list(sampler)
        [[6, 7], [10, 11]]
    """

    def __init__(self, batch_size: int, max_iters: int, rank: int = 0, world_size: int = 1) -> None:
        self.batch_size = batch_size
        self.max_iters = max_iters
        self.rank = rank
        self.world_size = world_size
        self.start = 0

    def __iter__(self) -> Iterator[list[int]]:
        for iteration in range(self.start, self.max_iters):
            first = (iteration * self.world_size + self.rank) * self.batch_size
            yield list(range(first, first + self.batch_size))

    def __len__(self) -> int:
        return self.max_iters - self.start


class IterationLoop(BaseLoop):
    """Train for ``max_iters`` iterations and validate every ``val_interval``.

    A resumed run starts its data at the iteration it stopped at, without reading what came
    before, and every iteration seeds torch from (seed, iteration, process): dropout after a
    resume is what it would have been.

    Args:
        runner: mmengine's Runner.
        dataloader: with a :class:`DrawSampler` as batch sampler.
        max_iters: length of the training.
        val_interval: iterations between validations; the last iteration always validates.
        val_begin: first iteration that may validate.
    """

    def __init__(
        self,
        runner: Any,
        dataloader: DataLoader,
        max_iters: int,
        val_interval: int = 1000,
        val_begin: int = 1,
    ) -> None:
        super().__init__(runner, dataloader)
        self.max_iters = max_iters
        self.val_interval = val_interval
        self.val_begin = val_begin
        self.max_epochs = 1  # mmengine's hooks see the run as one epoch
        self.stop_training = False
        self.interrupted = False  # by Ctrl-C: this iteration is the last, and is kept
        self._epoch = 0
        self._iter = 0

    @property
    def drawn(self) -> int:
        """Samples that all processes have trained on."""
        sampler = self.dataloader.batch_sampler
        return self._iter * sampler.batch_size * sampler.world_size

    @property
    def epoch(self) -> int:
        """Passes over the training set that are complete."""
        return self.drawn // len(self.dataloader.dataset)

    @property
    def iter(self) -> int:
        """Iterations that are complete."""
        return self._iter

    def run(self) -> Any:
        """Train, and return the model."""
        runner = self.runner
        runner.call_hook("before_train")
        runner.call_hook("before_train_epoch")
        self.dataloader.batch_sampler.start = self._iter
        runner.model.train()
        runner.call_hook("before_batch")
        words = (
            "interrupted: going on until the training can be resumed from here (a validation that "
            "is due included); once more stops at once, back to the last checkpoint"
        )
        with FirstInterrupt(words) as interrupt:
            for batch in self.dataloader:
                self.run_iter(batch)
                if runner.val_loop is not None and self._validates():
                    runner.average_buffers()
                    runner.val_loop.run()
                    runner.model.train()
                # Not while gradients wait for the optimizer's step: a checkpoint would lose them.
                self.interrupted = interrupt.seen and runner.optim_wrapper.should_update()
                runner.call_hook("after_iteration")
                if self.interrupted or self.stop_training:
                    break
                runner.call_hook("before_batch")
        if interrupt.seen:  # in the last iteration, too, which is kept anyhow
            raise KeyboardInterrupt
        runner.call_hook("after_train_epoch")
        runner.call_hook("after_train")
        return runner.model

    def run_iter(self, batch: dict[str, Any]) -> None:
        """Train on one batch."""
        runner = self.runner
        runner.call_hook("before_train_iter", batch_idx=self._iter, data_batch=batch)
        key = generator(runner.seed, "step", self._iter, runner.rank)
        torch.manual_seed(int(key.integers(2**63)))
        outputs = runner.model.train_step(batch, optim_wrapper=runner.optim_wrapper)
        runner.call_hook(
            "after_train_iter", batch_idx=self._iter, data_batch=batch, outputs=outputs
        )
        self._iter += 1

    def _validates(self) -> bool:
        due = self._iter >= self.val_begin and self._iter % self.val_interval == 0
        return due or self._iter == self.max_iters


class FirstInterrupt:
    """Notes the first Ctrl-C (SIGINT) within a ``with`` block; the second one interrupts.

    Loader processes that are forked within the block pass over the first one too. In a thread,
    where handlers cannot be set, among several processes, which would have to stop at one
    iteration, and where interrupts are ignored, as in a shell's background, nothing changes.
    """

    def __init__(self, words: str) -> None:
        self.words = words
        self.seen = False
        self._before: Any = None
        self._process = os.getpid()

    def __enter__(self) -> FirstInterrupt:
        alone = not dist.is_initialized() or dist.get_world_size() == 1
        main = threading.current_thread() is threading.main_thread()
        if alone and main and callable(signal.getsignal(signal.SIGINT)):
            self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        self.seen = True
        signal.signal(signal.SIGINT, self._before)
        if os.getpid() == self._process:
            print(f"\n{self.words}", file=sys.stderr, flush=True)
