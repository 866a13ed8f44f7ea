"""Output that nobody reads, that a terminal cannot show, or that has been closed."""

import io
import os
import subprocess
import sys

import pytest
import tiny_training
from tool_runs import environment

from segnoise import cli
from segnoise.streams import Stream, for_terminal, set_up
from segnoise.tables import printable


@pytest.fixture
def leaf(tmp_path):
    """A training of two iterations in a folder whose name is not ASCII."""
    changes = {"train_cfg": {"max_iters": 2, "val_interval": 2}, "num_pictures": 0}
    config = tiny_training.config(tmp_path, work_dir=str(tmp_path / "rün"), **changes)
    return tiny_training.write(tmp_path / "leaf.py", config)


def shell(command, **variables):
    """Run a command line in bash; {python} is ours."""
    line = command.format(python=sys.executable)
    return subprocess.run(
        ["bash", "-c", line], env={**environment(), **variables}, capture_output=True, timeout=120
    )


@pytest.mark.slow
@pytest.mark.parametrize("redirected", [">&- 2>&-", "| head -1"])
def test_a_training_goes_on_without_a_reader(leaf, tmp_path, redirected):
    done = shell(f"set -o pipefail; {{python}} -m segnoise train {leaf} {redirected}")
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr
    assert (tmp_path / "rün" / "best.pth").exists()
    assert "mIoU" in (tmp_path / "rün" / "train.log").read_text(encoding="utf-8")


def test_names_that_the_terminal_cannot_show_are_escaped(monkeypatch):
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, "ascii"))
    monkeypatch.setattr(sys, "stderr", sys.stderr)
    set_up()
    print("rün/best.pth", flush=True)
    assert written.getvalue() == b"r\\xfcn/best.pth\n"


def test_help_into_a_pipe_that_closes():
    for arguments in ("", "--help"):
        done = shell(f"{{python}} -m segnoise {arguments} | true; exit ${{{{PIPESTATUS[0]}}}}")
        assert done.returncode in (0, 2, 141)  # it may be through before the reader is gone
        assert done.stderr == b""


def test_an_unknown_name_with_control_characters_is_shown_as_text(capsys):
    assert cli.main(["train", "a\x1b[31mb\x07.py"]) == 2
    assert capsys.readouterr().err == "error: no config a\\x1b[31mb\\x07.py\n"


def test_what_is_printable_stays():
    text = "tab\tnew\nreturn\r ünï \u65e5"
    assert for_terminal(text) == text
    steers = "\x1b[2J\x9b\x00\u202e"
    assert for_terminal(steers) == printable(steers) == "\\x1b[2J\\x9b\\x00\\u202e"


def test_a_stream_raises_or_outlives(tmp_path):
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as file:
        stream = Stream(file)
        stream.write("x")
        with pytest.raises(BrokenPipeError):
            stream.flush()
        stream.outlives = True
        stream.flush()
        assert stream.write("y\x1b") == 2
        stream.flush()
        assert stream.fileno() == writer, "what is no writing is the stream's own"


def test_a_stream_outlives_a_full_disk():
    with open("/dev/full", "w") as file:
        stream = Stream(file)
        stream.write("x")
        with pytest.raises(OSError, match="No space left"):
            stream.flush()
        stream.outlives = True
        stream.flush()


def test_setting_up_twice_is_once(monkeypatch):
    monkeypatch.setattr(sys, "stdout", sys.stdout)
    monkeypatch.setattr(sys, "stderr", sys.stderr)
    set_up()
    first = sys.stdout
    set_up()
    assert sys.stdout is first
