"""Ctrl-C that lets a training finish what it is doing."""

from __future__ import annotations

import os
import signal
import sys
import threading
from types import FrameType
from typing import Any

import torch.distributed as dist


class FirstInterrupt:
    """Notes the first Ctrl-C (SIGINT) within a ``with`` block; the second one interrupts.

    Loader processes that are forked within the block pass over the first one too. In a thread,
    where handlers cannot be set, among several processes, which would have to stop at one
    iteration, and where interrupts are ignored, as in a shell's background, nothing changes.

    Example:
        >>> with FirstInterrupt("stopping soon") as interrupt:
        ...     interrupt.seen
        False
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
