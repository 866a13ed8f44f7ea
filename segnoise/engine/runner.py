"""mmengine's Runner, with checkpoints that are plain and resume exactly."""

from __future__ import annotations

import platform
import uuid
import warnings
from pathlib import Path
from typing import Any

import mmengine
import mmengine.runner
import torch
from mmengine.device import get_device
from mmengine.dist import all_reduce, broadcast, master_only
from mmengine.hooks import EMAHook
from mmengine.logging import MMLogger
from mmengine.logging.logger import MMFormatter
from mmengine.model import MMDistributedDataParallel, is_model_wrapper
from torch import nn

from segnoise.engine import checkpoint as checkpoints
from segnoise.errors import CheckpointError
from segnoise.models.weight_files import misfits
from segnoise.version import __version__


class Runner(mmengine.runner.Runner):
    """A Runner that departs from mmengine's in what is written and read, and nowhere else.

    - checkpoints are plain and atomic (:mod:`segnoise.engine.checkpoint`), and a resume neither
      unpickles objects nor executes the config stored in the file;
    - data parallelism runs on CPUs too (gloo);
    - the log goes to ``train.log`` in the run's folder, and appends.
    """

    def __init__(
        self, *, name: str, record: dict[str, Any], extended: bool = False, **kwargs: Any
    ) -> None:
        self._record = record  # goes into every checkpoint
        self._extended = extended  # the checkpoint to resume is of a shorter run
        # mmengine hands out loggers and visualizers by this name: two runs that start in the
        # same second of one process would share theirs.
        super().__init__(experiment_name=f"{name}_{uuid.uuid4().hex[:8]}", **kwargs)

    @property
    def _log_dir(self) -> str:
        """The run's folder, where mmengine would make one that is called as the time."""
        return self.work_dir

    @_log_dir.setter
    def _log_dir(self, _: str) -> None:
        """Nothing: mmengine sets it."""

    @property
    def network(self) -> nn.Module:
        """The model without its data-parallel wrapper."""
        return self.model.module if is_model_wrapper(self.model) else self.model

    def build_logger(self, log_level: int | str = "INFO", **_: Any) -> MMLogger:
        """Log to the console and, appending, to the run's folder."""
        logger = MMLogger.get_instance(
            name=self._experiment_name,
            logger_name="segnoise",
            log_level=log_level,
            log_file=str(Path(self.work_dir) / "train.log"),
            file_mode="a",
            distributed=self.distributed,
        )
        for handler in logger.handlers:
            if isinstance(handler.formatter, MMFormatter):
                plain = MMFormatter(color=False, datefmt=handler.formatter.datefmt)
                handler.setFormatter(plain)  # colors are control characters
        return logger

    def _log_env(self, env_cfg: dict[str, Any]) -> None:
        device = torch.cuda.get_device_name() if torch.cuda.is_available() else platform.processor()
        self.logger.info(
            f"segnoise {__version__}, torch {torch.__version__}, Python "
            f"{platform.python_version()}, {get_device()} ({device or platform.machine()}), "
            f"{self.world_size} process(es), seed {self.seed}"
        )

    def get_hooks_info(self) -> str:
        """One line instead of mmengine's page."""
        return ", ".join(type(hook).__name__ for hook in self.hooks)

    def dump_config(self) -> None:
        """Nothing: the resolved config is in the run's folder before the Runner is built."""

    def wrap_model(self, model_wrapper_cfg: dict[str, Any] | None, model: nn.Module) -> nn.Module:
        """Wrap for data parallelism; on CPUs, which mmengine leaves out, without a device id."""
        if not self.distributed or get_device() != "cpu" or is_model_wrapper(model):
            return super().wrap_model(model_wrapper_cfg, model)
        return MMDistributedDataParallel(
            module=model,
            broadcast_buffers=False,
            find_unused_parameters=self.cfg.get("find_unused_parameters", False),
        )

    def _init_model_weights(self) -> None:
        """Give all processes the main one's weights.

        Unlike mmengine's, without what is no tensor, such as a loss's memory: it is empty yet.
        """
        for value in self.network.state_dict().values():
            if torch.is_tensor(value):
                broadcast(value)

    @master_only
    def save(self, path: Path, meta: dict[str, Any], training_state: bool = True) -> None:
        """Write a checkpoint: weights, and with ``training_state`` all that a resume needs."""
        checkpoint: dict[str, Any] = {
            "meta": {
                "iter": self.iter,
                "epoch": self.epoch,
                "seed": self.seed,
                **self._record,
                "versions": {"segnoise": __version__, "torch": torch.__version__},
                "dataset": dict(self.train_dataloader.dataset.metainfo),
                **meta,
            },
            "state_dict": self.network.state_dict(),
        }
        self.call_hook("before_save_checkpoint", checkpoint=checkpoint)
        if training_state:
            checkpoint["optimizer"] = self.optim_wrapper.state_dict()
            checkpoint["param_schedulers"] = [s.state_dict() for s in self.param_schedulers or []]
        else:
            checkpoint = checkpoints.weights_only(checkpoint)
        checkpoints.save(checkpoint, path)

    def average_buffers(self) -> None:
        """Give all processes the mean of their batch-norm statistics.

        Each process counts its own samples. Without this, every process would validate another
        model, and a checkpoint would hold the main process's.
        """
        if self.world_size > 1:
            for buffer in self.network.buffers():
                if buffer.is_floating_point():
                    all_reduce(buffer, op="mean")

    def load_checkpoint(self, filename: str, **_: Any) -> dict[str, Any]:
        """Load weights, all of them, safely."""
        checkpoint = checkpoints.load(filename)
        for hook in self.hooks:
            if isinstance(hook, EMAHook):  # mmengine's own passes over what is missing
                averages = checkpoint.get("ema_state_dict", {})
                if misfit := misfits(hook.ema_model.state_dict(), averages):
                    raise CheckpointError(f"{filename}: its averaged weights do not fit: {misfit}")
        with checkpoints.fitting(filename):
            self.call_hook("after_load_checkpoint", checkpoint=checkpoint)
        checkpoints.load_weights(self.network, checkpoint["state_dict"], filename)
        self.logger.info(f"weights of {filename}")
        return checkpoint

    def resume(self, filename: str, **_: Any) -> None:
        """Go on exactly where a checkpoint was written."""
        checkpoint = self.load_checkpoint(filename)
        missing = {"optimizer", "param_schedulers"} - checkpoint.keys()
        if missing:
            raise CheckpointError(
                f"{filename}: holds weights only (a best checkpoint?); resume from last.pth, or "
                "start a new run with --cfg-options load_from=..."
            )
        self.train_loop._iter = checkpoint["meta"]["iter"]
        schedulers = self.param_schedulers or []
        first = [
            {key: value for key, value in group.items() if key != "params"}
            for group in self.optim_wrapper.param_groups
        ]
        with checkpoints.fitting(filename):
            if fault := checkpoints.training_fault(
                checkpoint, self.optim_wrapper.optimizer, None if self._extended else schedulers
            ):
                raise ValueError(fault)
            self.optim_wrapper.load_state_dict(checkpoint["optimizer"])
            if not self._extended:
                states = checkpoint["param_schedulers"]
                for scheduler, state in zip(schedulers, states, strict=True):
                    scheduler.load_state_dict(state)
            self.call_hook("after_resume", checkpoint=checkpoint)
        if self._extended:
            for group, values in zip(self.optim_wrapper.param_groups, first, strict=True):
                group.update(values)
            self._replay(schedulers)
        self._has_loaded = True
        if self._extended:
            self.logger.info(f"going on as in a run of {self.max_iters} iterations")
        self.logger.info(f"resumed at iteration {self.iter} from {filename}")

    def _replay(self, schedulers: list[Any]) -> None:
        """Bring schedules of a run of another length to where this one is.

        A step computes a value from the one before it, so all are taken.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that no optimizer step came first
            for _ in range(self.iter):
                for scheduler in schedulers:
                    scheduler.step()
