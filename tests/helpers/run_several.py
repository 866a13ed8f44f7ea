"""Run several commands one after the other in the same processes: they import torch once.

Run by torchrun, with the command lines as JSON. The first that fails ends it with its exit code.
"""

import json
import sys

from segnoise import cli
from segnoise.engine import cli as tools

if __name__ == "__main__":
    tools._leave_group = lambda: None  # all commands are of one group
    for command in json.loads(sys.argv[1]):
        if code := cli.main([*command, "--launcher", "pytorch"]):
            raise SystemExit(code)
