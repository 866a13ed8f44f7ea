"""A local Ray cluster serves this machine and nobody else."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("ray")

CODE = """
import os
from pathlib import Path
from segnoise.ray_cluster import map_on_ray

def family():
    parents = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            stat = Path("/proc", entry, "stat").read_text()
        except OSError:
            continue
        parents[int(entry)] = int(stat.rpartition(")")[2].split()[1])
    found = {os.getpid()}
    while new := {child for child, parent in parents.items() if parent in found} - found:
        found |= new
    return found

def sockets(processes):
    found = set()
    for process in processes:
        try:
            for link in Path("/proc", str(process), "fd").iterdir():
                found.add(os.readlink(link))
        except OSError:
            continue
    return found

def listening():
    mine = sockets(family())
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            _, here, _, state, *rest = line.split()
            if state == "0A" and f"socket:[{rest[5]}]" in mine:
                yield here.partition(":")[0]

def work(shared, chunk):
    return shared + sum(chunk)

def main():
    results = map_on_ray(work, 10, [[1, 2], [3]], workers=1)
    first = next(results)
    places = sorted(listening())
    print(first, *results, len(places) > 3, *set(places))
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="Linux tells who listens")
def test_nothing_listens_to_the_network(tmp_path):
    (tmp_path / "listen.py").write_text(CODE)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", "import listen; listen.main()"],
        capture_output=True, text=True, timeout=120, env=environment, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    first, second, several, *places = done.stdout.split()
    assert (first, second, several) == ("13", "13", "True")
    loopback = {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}
    assert set(places) <= loopback, places
