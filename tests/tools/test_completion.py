"""Completion of commands and flags in a shell."""

import subprocess
import sys

from segnoise import cli


def completed(tmp_path, *words):
    """What bash offers for a command line that ends in the last word."""
    program = tmp_path / "segnoise"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m segnoise "$@"\n')
    program.chmod(0o755)
    line = " ".join(f'"{word}"' for word in words)
    script = f"""
        PATH={tmp_path}:$PATH
        eval "$(segnoise --completion)"
        COMP_WORDS=(segnoise {line}) COMP_CWORD={len(words)}
        _segnoise
        echo "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_commands_and_flags(tmp_path):
    assert completed(tmp_path, "c") == [n for n in cli.COMMANDS if n.startswith("c")]
    assert completed(tmp_path, "train", "--l") == ["--loss", "--launcher"]
    assert completed(tmp_path, "train", "config") == []  # files, as the shell does
