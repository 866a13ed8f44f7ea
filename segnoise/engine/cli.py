"""What the command-line tools share: flags people know from OpenMMLab, and errors in one line."""

from __future__ import annotations

import argparse
import ast
import contextlib
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from segnoise import streams
from segnoise.checks import MAX_SEED, check_integer, check_number
from segnoise.engine.machine import what_it_lacks
from segnoise.engine.notation import noise, part, title
from segnoise.errors import ConfigError, SegnoiseError
from segnoise.files import user_path

# Read when torch is loaded, which the tools do later. OpenMP's threads spin for milliseconds while
# they wait for each other: with anything else running on the machine's cores, a training on a CPU
# becomes several times slower. GNU's OpenMP only, which is torch's on Linux.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")


AGAIN = "run the same command again"  # of tools that keep nothing of an interrupted run


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Print what is wrong, and leave with exit code 2."""
        sys.exit(_fail(f"{message}; see {self.prog} --help", 2))

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse; where a shell asks for completions, print the flags instead, and leave."""
        if os.environ.get("SEGNOISE_FLAGS"):
            shown = (a for a in self._actions if a.help != argparse.SUPPRESS)
            print(*(flag for action in shown for flag in action.option_strings), sep="\n")
            self.exit()
        return super().parse_known_args(args, namespace)

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """Leave, once a help text is out or nobody reads it."""
        try:
            sys.stdout.flush()
        except BrokenPipeError:
            streams.silence(sys.stdout)
            status = 141
        super().exit(status, message)


def parser(description: str, **kwargs: Any) -> argparse.ArgumentParser:
    """An argument parser that keeps line breaks; what it and its tool print, any terminal takes."""
    streams.set_up()
    return Parser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter, **kwargs
    )


def integer(least: int, most: int) -> Callable[[str], int]:
    """A flag's type: an integer within bounds."""

    def parse(text: str) -> int:
        with _as_flag():
            return check_integer(
                "", int(text) if text.lstrip("-+").isdecimal() else text, least, most
            )

    return parse


def number(**bounds: float) -> Callable[[str], float]:
    """A flag's type: a finite number within the bounds of :func:`check_number`."""

    def parse(text: str) -> float:
        value: Any = text
        with contextlib.suppress(ValueError):
            value = float(text)
        with _as_flag():
            return check_number("", value, **bounds)

    return parse


def path(text: str) -> Path:
    """A flag's type: a path, with ``~`` looked up."""
    with _as_flag():
        if not text:
            raise ConfigError("must be the path of a file or folder, not ''")
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ConfigError(f"{text!r} is no text in UTF-8: rename it") from None
        return user_path(text)


@contextlib.contextmanager
def _as_flag() -> Iterator[None]:
    """Errors of a value as argparse has them, which puts the flag's name before them."""
    try:
        yield
    except ConfigError as error:
        raise argparse.ArgumentTypeError(str(error).strip()) from None


seed = integer(0, MAX_SEED)


def add_config(arguments: argparse.ArgumentParser) -> None:
    """Add the positional config, ``--cfg-options`` and ``--allow-imports``."""
    arguments.add_argument(
        "config", help="config file, e.g. configs/phantoms/unet_r18_phantoms_200.py"
    )
    add_options(arguments)
    add_allow_imports(arguments)


def add_options(arguments: argparse.ArgumentParser) -> None:
    """Add ``--cfg-options``."""
    arguments.add_argument(
        "--cfg-options",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=VALUE",
        help="override config values, after the config; values as Python writes them, entries of "
        "lists by number, e.g. noise.rate=0.2 losses.0.alpha=1 data_root=/data/VOC2012",
    )


def add_allow_imports(arguments: argparse.ArgumentParser) -> None:
    """Add ``--allow-imports``, beside every config."""
    arguments.add_argument(
        "--allow-imports",
        action="append",
        default=[],
        metavar="MODULE",
        help="import this module first; a config in .json or .yaml, or in a checkpoint, may name "
        "things of it (repeatable)",
    )


def add_parts(arguments: argparse.ArgumentParser, *names: str, each: str = "") -> None:
    """Add flags that name what is compared: ``--noise``, ``--loss``, ``--method``, ``--recipe``.

    ``each`` says what giving one several times means; by default a noise and a recipe are given
    once, losses add up and methods work together.
    """
    example = {
        "noise": '"BoundaryErosion(width=3)", a preset or a dotted path',
        "loss": "\"ANL-CE(class_weights='inverse_sqrt')\"",
        "method": "ObjectTeacher",
        "recipe": "auto, or a recipe's name: it chooses losses and methods",
    }
    if "loss" in names:  # where clean labels make sense
        example["noise"] += ", or none for clean labels"
    repeated = {"loss": "; repeat it to add losses up", "method": "; repeatable"}
    for name in names:
        many = each or repeated.get(name, "")
        arguments.add_argument(
            f"--{name}",
            action="append" if many else "store",
            metavar=name.upper(),
            help=f"instead of the config's: {example[name]}{many}",
        )


def named_parts(arguments: Any) -> dict[str, Any]:
    """What the flags of :func:`add_parts` name; None for those that are not given.

    Raises:
        ConfigError: if one is empty, as from a shell's variable that is not set.
    """
    names = ("loss", "method", "recipe", "noise")
    found = {name: getattr(arguments, name, None) for name in names}
    for name, value in found.items():
        if "" in (value if isinstance(value, list) else [value]):
            raise ConfigError(f"--{name} is empty: name one, or leave the flag out")
    return found


def changes(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the changes of a config that the flags of a command line make.

    Example:
        >>> given = parser("A tool.")
        >>> add_options(given)
        >>> add_parts(given, "noise", "loss")
        >>> changes(given.parse_args(["--loss", "CE", "--cfg-options", "seed=1"]))
        {'losses': [{'type': 'CE'}], 'recipe': None, 'seed': 1}
    """
    named = named_parts(arguments)
    found: dict[str, Any] = {}
    if named["noise"]:
        found["noise"] = noise(named["noise"])
    if named["loss"]:
        found |= {"losses": [part(text, "loss") for text in named["loss"]], "recipe": None}
    if named["method"]:
        found |= {"methods": [part(text, "method") for text in named["method"]], "recipe": None}
    if named["recipe"]:
        if named["loss"] or named["method"]:
            raise ConfigError("--recipe chooses losses and methods: leave out --loss and --method")
        found["recipe"] = named["recipe"]
    return found | options(arguments.cfg_options)


def run_name(config: str, arguments: argparse.Namespace) -> str:
    """Return the name of a run: its config's, and what the command line names instead."""
    named = [each or [] for each in named_parts(arguments).values()]
    texts = [text for each in named for text in ([each] if isinstance(each, str) else each)]
    return title(config, texts)


def add_dose(arguments: argparse.ArgumentParser, target: float) -> None:
    """Add ``--target`` and ``--measure`` of a calibration."""
    arguments.add_argument(
        "--target",
        type=number(above=0, most=1),
        default=target,
        help=f"the value to realise, above 0 and at most 1 (default: {target})",
    )
    arguments.add_argument(
        "--measure",
        choices=("pixel_rate", "miou", "boundary_rate"),  # calibrate.MEASURES
        default="pixel_rate",
        help="pixel_rate: share of the pixels that change (default); miou: mean IoU of noisy and "
        "clean labels; boundary_rate: share that changes of the pixels within 3 px of a boundary",
    )


def add_workers(arguments: argparse.ArgumentParser) -> None:
    """Add ``--workers``."""
    arguments.add_argument(
        "--workers",
        type=integer(0, 1024),
        default=os.cpu_count() or 1,
        help="processes (default: all cores)",
    )


def add_launcher(arguments: argparse.ArgumentParser) -> None:
    """Add ``--launcher``; torchrun's ``--local-rank`` is accepted and read from the environment."""
    arguments.add_argument(
        "--launcher",
        choices=("none", "pytorch", "slurm", "mpi"),  # launch.LAUNCHERS, which would load torch
        default="none",
        help="how the processes were started (default: none, a single process)",
    )
    arguments.add_argument("--local-rank", "--local_rank", type=int, help=argparse.SUPPRESS)


def options(pairs: Sequence[str]) -> dict[str, Any]:
    """Parse ``KEY=VALUE`` pairs; values are Python literals, or else text.

    Example:
        >>> options(["noise.rate=0.2", "noise=None", "data_root=/data/voc", "crop=(64,64)"])
        {'noise.rate': 0.2, 'noise': None, 'data_root': '/data/voc', 'crop': (64, 64)}
    """
    found: dict[str, Any] = {}
    for pair in pairs:
        key, separator, text = pair.partition("=")
        if not separator or not key:
            raise ConfigError(f"--cfg-options wants KEY=VALUE, got {pair!r}")
        found[key] = _value(text)
    return found


def _value(text: str) -> Any:
    words = {"true": True, "false": False, "none": None, "null": None}
    if text.lower() in words:
        return words[text.lower()]
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def run_tool(
    work: Callable[[], None],
    go_on: str = "the same command goes on, a training with --resume",
    outlives_reader: bool = False,
) -> int:
    """Run a tool's work; errors that are the user's to mend become one line and exit code 2.

    ``go_on`` tells how an interrupted tool goes on. One that outlives its reader goes on where
    nobody reads the output any more, as with ``| head -1``; others end with exit code 141.
    """
    streams.outlive_reader(outlives_reader)
    try:
        work()
        sys.stdout.flush()
    except SegnoiseError as error:
        return _fail(_own_words(error), 2)
    except BrokenPipeError:  # the reader, such as `head`, has gone
        streams.silence(sys.stdout)
        return 141
    except KeyboardInterrupt:
        return _fail(f"interrupted; {go_on}", 130)
    except SystemExit as error:  # of a hook, a data set, a noise: the work is not done
        caller = traceback.extract_tb(error.__traceback__)[-1]
        what = f"{caller.filename}:{caller.lineno} calls sys.exit({error.code!r})"
        return _fail(f"{what}, which ends the tool before its work is done: let it raise", 2)
    except UnicodeError as error:
        text = repr(getattr(error, "object", ""))[:200]
        return _fail(f"{text} is no text in UTF-8 ({error.args[-1]}): rename it", 2)
    except Exception as error:
        if words := what_it_lacks(error):
            # What was half built, as torch's loaders, fails once more when it is collected.
            sys.unraisablehook = lambda _: None
            return _fail(words, 2)
        if not isinstance(error, OSError) or error.errno is None:
            raise
        # A full, read-only, forbidden or impossible place.
        where = error.filename or "an output"
        remedy = f"make room or choose another folder; {go_on}"
        return _fail(f"{where}: {error.strerror}; {remedy}", 2)
    finally:
        _leave_group()
    return 0


def _fail(message: str, code: int) -> int:
    with contextlib.suppress(OSError):  # nobody may be reading
        sys.stdout.flush()
    with contextlib.suppress(OSError):
        print(f"error: {message}", file=sys.stderr, flush=True)
    return code


def _own_words(error: SegnoiseError) -> str:
    """The message; of an error in a loader's process, without that process's traceback."""
    text = str(error)
    if "Original Traceback" not in text:
        return text
    return text.rstrip().rpartition(f"{type(error).__name__}: ")[2]


def _leave_group() -> None:
    # No import: an interrupt may have come while torch was being loaded, which works once only.
    dist = sys.modules.get("torch.distributed")
    ready = getattr(dist, "is_available", bool)() and getattr(dist, "is_initialized", bool)()
    if dist is not None and ready:
        dist.destroy_process_group()
