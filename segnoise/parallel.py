"""Work through chunks of samples, in this process or in several, and show how far it is."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import Any, TypeVar

import cv2
from tqdm import tqdm

from segnoise.errors import DataError

S = TypeVar("S")
R = TypeVar("R")
Work = Callable[[S, Sequence[int]], R]
Mapper = Callable[[Work[Any, Any], Any, Sequence[Sequence[int]]], Iterator[Any]]
"""How work is spread: `partial(map_chunks, workers=4)`, or on a Ray cluster."""


def chunks_of(items: Iterable[int], size: int) -> list[list[int]]:
    """Return the items in lists of at most `size`.

    Example:
        >>> chunks_of(range(5), 2)
        [[0, 1], [2, 3], [4]]
    """
    chosen = list(items)
    return [chosen[start : start + size] for start in range(0, len(chosen), size)]


def progress_bar(total: int, title: str | None, unit: str, done: int = 0) -> tqdm:
    """Return a progress bar on stderr; a title of None shows none."""
    every = 0.2 if sys.stderr.isatty() else 10.0  # logs keep every update
    return tqdm(
        total=total,
        initial=done,
        desc=title,
        unit=unit,
        mininterval=every,
        disable=title is None,
    )


def map_chunks(
    work: Work[S, R], shared: S, chunks: Sequence[Sequence[int]], workers: int
) -> Iterator[R]:
    """Yield `work(shared, chunk)` for every chunk, in their order."""
    workers = min(workers, len(chunks))
    if workers < 2:
        yield from (work(shared, chunk) for chunk in chunks)
        return
    try:
        with ProcessPoolExecutor(workers, initializer=_start, initargs=(shared,)) as pool:
            yield from pool.map(partial(_in_worker, work), chunks)
    except BrokenProcessPool:
        raise DataError(
            f"a worker process died (out of memory?): use fewer workers than {workers}"
        ) from None


map_here = partial(map_chunks, workers=0)
"""Work through chunks one after the other, in this process."""

_shared: list[Any] = []  # in worker processes: sent once, not with every chunk


def _start(shared: Any) -> None:
    cv2.setNumThreads(0)  # the processes are the parallelism
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends the work
    threading.Thread(target=_die_with_parent, daemon=True).start()
    _shared[:] = [shared]


def _die_with_parent() -> None:
    """Leave when the parent is killed, which would otherwise leave its workers waiting for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _in_worker(work: Work[Any, R], chunk: Sequence[int]) -> R:
    return work(_shared[0], chunk)
