"""Train several configs one after the other in the same processes: they import torch once.

Run by torchrun, with the configs' paths as arguments.
"""

import sys

from segnoise.engine.config import load_config
from segnoise.engine.train import train

if __name__ == "__main__":
    for path in sys.argv[1:]:
        train(load_config(path), name=path, launcher="pytorch")
