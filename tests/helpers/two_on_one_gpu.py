"""Train in processes that share a device: by gloo, since NCCL wants a GPU for each.

Run by torchrun, with the device and a config's path as arguments.
"""

import os
import sys

import torch

from segnoise.engine.config import load_config
from segnoise.engine.train import train

if sys.argv[1] == "cuda":
    torch.cuda.set_device(0)
torch.distributed.init_process_group("gloo")
os.environ["LOCAL_RANK"] = "0"  # by which the wrapper for data parallelism chooses a GPU
train(load_config(sys.argv[2]), launcher="pytorch")
