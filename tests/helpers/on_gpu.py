"""Where the tests marked gpu run: on a CUDA device, or to rehearse them on the CPU.

SEGNOISE_GPU_TESTS=cpu pytest -m gpu
"""

import os

import pytest
import torch

DEVICE = os.environ.get("SEGNOISE_GPU_TESTS") or "cuda"
CUDA = DEVICE == "cuda"


def on_gpu(test):
    """Mark a test that only a GPU can pass or fail."""
    absent = CUDA and not torch.cuda.is_available()
    return pytest.mark.gpu(
        pytest.mark.skipif(absent, reason="needs a CUDA device, none here")(test)
    )


cuda_only = pytest.mark.skipif(not CUDA, reason="there is no such thing on a CPU")
