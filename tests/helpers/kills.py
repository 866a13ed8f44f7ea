"""Kill work at any of its renames, which is where a file of ours appears, and go on with it."""

import os
import pathlib
import signal
import sys
import traceback


def _counted(limit, before, file):
    """Let os.replace kill this process at the rename with number limit, or count them."""
    rename, done = os.replace, 0

    def replace(source, target, **options):
        nonlocal done
        done += 1
        if before and done == limit:
            os.kill(os.getpid(), signal.SIGKILL)
        rename(source, target, **options)
        if done == limit:
            os.kill(os.getpid(), signal.SIGKILL)
        os.pwrite(file, str(done).encode(), 0)

    os.replace = replace
    pathlib.Path.replace = lambda self, target: replace(self, target)


def forked(work, log, limit=0, before=False):
    """Do some work in a process of its own that is killed at a rename.

    Args:
        work: what to do.
        log: a file for what it prints.
        limit: the rename's number, from 1; 0 for none.
        before: the kill comes before the rename, not after it.

    Returns:
        How many renames were done where the work came to its end; None where it was killed.
    """
    count = log.with_suffix(".count")
    count.write_text("0")
    child = os.fork()
    if child == 0:
        try:
            output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            sys.stdout = sys.stderr = os.fdopen(output, "w", buffering=1)
            _counted(limit, before, os.open(count, os.O_WRONLY))
            work()
            os._exit(0)
        except BaseException:
            os.write(output, traceback.format_exc().encode())
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return None
    assert os.WEXITSTATUS(status) == 0, log.read_text()
    return int(count.read_text())
