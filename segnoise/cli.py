"""The ``segnoise`` command: ``segnoise train ...`` is tools/train.py."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

from segnoise import streams
from segnoise.naming import near
from segnoise.version import __version__

COMMANDS = {
    "train": "train a model on labels that may be noisy",
    "test": "score a checkpoint on a labelled split",
    "predict": "predict pictures and rasters with a trained network, each in its own format",
    "export": "write a trained network as ONNX, torch.export or a folder for the Hugging Face hub",
    "benchmark": "train a grid of data sets, noises, losses, methods and seeds, and compare",
    "check_dataset": "open every image and mask before hours of training",
    "corrupt": "write a noisy copy of a data set's masks, to train on or to look at",
    "browse_noise": "draw noise models side by side at equal dose, as a page and a picture",
    "calibrate": "find the dose at which a noise realises a target on a data set",
    "compare_masks": "measure the noise of one set of masks against another",
    "convert_sbd": "turn SBD's .mat files into VOC's SegmentationClassAug",
    "demo": "train on phantoms whose organs are partly misnamed, and compare",
}


COMPLETION = """\
# For bash and zsh: eval "$(segnoise --completion)", in ~/.bashrc or ~/.zshrc
[ -n "$ZSH_VERSION" ] && autoload -Uz bashcompinit compinit && compinit -u && bashcompinit
_segnoise() {
    local word="${COMP_WORDS[COMP_CWORD]}" words="%s"
    if [ "$COMP_CWORD" -gt 1 ]; then
        case "$word" in -*) ;; *) return ;; esac
        words="$(SEGNOISE_FLAGS=1 segnoise "${COMP_WORDS[1]}" 2> /dev/null)"
    fi
    COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -o default -F _segnoise segnoise"""


def usage() -> str:
    """The help text."""
    commands = "\n".join(f"  {name:<14} {text}" for name, text in COMMANDS.items())
    return (
        f"segnoise {__version__}: semantic segmentation with noisy labels\n\n"
        f"usage: segnoise COMMAND ...\n\n{commands}\n\n"
        'segnoise COMMAND --help tells what a command takes; eval "$(segnoise --completion)" '
        "completes\ncommands and flags in bash and zsh."
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code."""
    streams.set_up()
    try:
        return _run(list(sys.argv[1:] if argv is None else argv))
    except BrokenPipeError:  # the reader of a help text, such as `head`, has gone
        streams.silence(sys.stdout)
        return 141
    except KeyboardInterrupt:  # before there was anything to go on with
        print("error: interrupted", file=sys.stderr)
        return 130


def _run(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help"):
        print(usage(), flush=True)
        return 0 if arguments else 2
    if arguments[0] == "--version":
        print(__version__)
        return 0
    if arguments[0] == "--completion":
        print(COMPLETION % " ".join(COMMANDS))
        return 0
    command = arguments[0].replace("-", "_")
    if command not in COMMANDS:
        hint = near(command, COMMANDS) or f"; there are {', '.join(COMMANDS)}"
        print(f"error: no command {arguments[0]!r}{hint}", file=sys.stderr)
        return 2
    sys.argv[0] = f"segnoise {command}"
    module = importlib.import_module(f"segnoise.tools.{command}")
    return int(module.main(arguments[1:]))
