"""What a machine can lack, in a line: memory, shared memory, file handles, processes."""

from __future__ import annotations

import re
from collections.abc import Iterator

_LACKS: tuple[tuple[str, str], ...] = (
    # The first that fits an error's text is taken.
    (
        r"Bus error|shared memory|/dev/shm|shm_open|<?/torch_\d+",
        "shared memory (/dev/shm) is full: set num_workers=0 or a smaller batch_size, or give it "
        "more room (docker run --shm-size=8g)",
    ),
    (
        r"DataLoader worker .*(killed|exited unexpectedly)",
        "a process that loads data was killed, as the system does when memory runs out: set "
        "num_workers to half of what it is (0 loads in the process itself), or a smaller "
        "batch_size",
    ),
    (
        r"CUDA out of memory|CUDA error: out of memory|torch.OutOfMemoryError|_ALLOC_FAILED",
        "the GPU's memory is full: set a smaller batch_size (eval_batch_size in a validation), a "
        "smaller crop in train_transform, or --amp; large images are read in parts by "
        "inference=dict(mode='slide', crop_size=(512, 512))",
    ),
    (
        r"MemoryError|can't allocate memory|annot allocate memory|not enough memory|bad_alloc"
        r"|Insufficient memory|Failed to allocate",
        "memory is full: set a smaller batch_size (eval_batch_size in a validation), a smaller "
        "crop or size in train_transform, or fewer processes (num_workers=0, --workers 1)",
    ),
    (
        r"Too many open files|received 0 items of ancdata",
        "too few file handles: run `ulimit -n 4096` before the command, or set num_workers=0 "
        "(--workers 1)",
    ),
    (
        r"can't start new thread|Resource temporarily unavailable|pthread_create",
        "too few processes or threads: run `ulimit -u 4096` before the command, or set "
        "num_workers=0 (--workers 1) and OMP_NUM_THREADS=1",
    ),
)


def what_it_lacks(error: BaseException) -> str | None:
    """Return what to set to what where an error says that the machine is too small; else None."""
    texts = [f"{type(e).__module__}.{type(e).__name__}: {e}" for e in _chain(error)]
    for pattern, words in _LACKS:
        if any(re.search(pattern, text) for text in texts):
            return words
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
