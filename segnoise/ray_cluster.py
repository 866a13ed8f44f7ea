"""Work on a Ray cluster; the only file that knows Ray."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any

import cv2

from segnoise.errors import ConfigError, DataError
from segnoise.parallel import R, S, Work


def map_on_ray(
    work: Work[S, R],
    shared: S,
    chunks: Sequence[Sequence[int]],
    *,
    workers: int,
    address: str | None = None,
) -> Iterator[R]:
    """Yield `work(shared, chunk)` for every chunk, in their order, computed by Ray tasks.

    Every node must have segnoise and see the same files at the same paths. Without an address of a
    running cluster ("auto", "ray://head:10001") a local one of `workers` processes is started.
    """
    with _cluster(workers, address) as ray:
        task: Any = ray.remote(_task)
        stored, here = ray.put(shared), os.getcwd()
        for result in [task.remote(work, stored, chunk, here) for chunk in chunks]:
            yield ray.get(result)


def run_on_ray(
    work: Callable[..., Any], arguments: Sequence[Sequence[Any]], workers: int, address: str | None
) -> Generator[int, None, None]:
    """Call `work(*arguments[i])` in a Ray task for every i, and yield each i when it is done.

    Calls take long and may start processes of their own: each has a CPU to itself, and where the
    cluster has GPUs, a share of one: `workers` calls share it, and are run at once on a local
    cluster. Closing the generator cancels what is left.
    """
    with _cluster(workers, address) as ray:
        gpus = 1 / max(workers, 1) if ray.cluster_resources().get("GPU") else 0
        task: Any = ray.remote(_call).options(num_cpus=1, num_gpus=gpus)
        here = os.getcwd()
        pending = {task.remote(work, each, here): i for i, each in enumerate(arguments)}
        try:
            while pending:
                (done, *_), _ = ray.wait(list(pending))
                ray.get(done)
                yield pending.pop(done)
        finally:
            for left in pending:
                ray.cancel(left)


@contextlib.contextmanager
def _cluster(workers: int, address: str | None) -> Iterator[Any]:
    """Connect to a cluster, or start one; errors of its tasks are the tasks' own."""
    # Ray reports its use to a server unless told not to.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    with _loopback_only() if address is None else contextlib.nullcontext():
        try:
            import ray
        except ImportError:
            raise ConfigError("Ray is not installed: pip install 'segnoise[ray]'") from None
        mine = not ray.is_initialized()
        if mine:
            _check_reachable(address or "local")
            options: dict[str, Any] = {"address": address or "local", "log_to_driver": False}
            if address is None:
                options.update(num_cpus=max(workers, 1), include_dashboard=False)
            try:
                ray.init(**options)
            except (ConnectionError, ValueError, RuntimeError) as error:
                raise ConfigError(f"no Ray cluster at {address or 'local'}: {error}") from error
    try:
        if mine and address is None and not _is_loopback(ray.util.get_node_ip_address()):
            raise ConfigError(
                "the local Ray cluster would listen to the network, since Ray was imported before: "
                "start one yourself (ray start --head) and give its address"
            )
        yield ray
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None
    except ray.exceptions.RayError as error:
        raise DataError(f"the Ray cluster failed: {' '.join(str(error).split())}") from error
    finally:
        if mine:
            ray.shutdown()


@contextlib.contextmanager
def _loopback_only() -> Iterator[None]:
    """Let a cluster that is started here listen to this machine alone.

    Ray does so on the systems where this variable is off by default, and has no other switch: on
    Linux its processes listen on all interfaces. It is read when Ray is imported.
    """
    name = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
    before = os.environ.get(name)
    os.environ[name] = "0"
    try:
        yield
    finally:
        del os.environ[name]
        if before is not None:
            os.environ[name] = before


def _is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address).is_loopback


def _check_reachable(address: str) -> None:
    """Knock at an address first: Ray would try for many minutes."""
    host, separator, port = address.removeprefix("ray://").rpartition(":")
    if separator and port.isdigit():
        try:
            socket.create_connection((host, int(port)), timeout=10).close()
        except OSError as error:
            raise ConfigError(f"no Ray cluster at {address}: {error}") from None


def _task(work: Work[S, R], shared: S, chunk: Sequence[int], folder: str) -> R:
    os.chdir(folder)  # paths may be relative
    cv2.setNumThreads(0)  # the tasks are the parallelism
    return work(shared, chunk)


def _call(work: Callable[..., Any], arguments: Sequence[Any], folder: str) -> Any:
    os.chdir(folder)
    return work(*arguments)
