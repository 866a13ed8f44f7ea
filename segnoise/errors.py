"""Errors that are the user's to mend: the tools print them as one line and exit with code 2."""

from __future__ import annotations

from segnoise.tables import printable


class SegnoiseError(Exception):
    """Base of all errors that name a cause and a remedy; safe to print, whatever they quote."""

    def __str__(self) -> str:
        return "\n".join(map(printable, super().__str__().split("\n")))


def words_of(error: BaseException) -> str:
    """What an error of somebody's class says, on a line; its type where the words need it.

    Example:
        >>> words_of(KeyError("width"))
        "KeyError: 'width'"
    """
    words = str(error) if isinstance(error, SegnoiseError) else " ".join(str(error).split())
    if words and isinstance(error, (TypeError, ValueError)):
        return words
    return f"{type(error).__name__}: {words}"


class ConfigError(SegnoiseError, ValueError):
    """A config, a flag or an override that cannot be used."""


class DataError(SegnoiseError, ValueError):
    """A data set, or one of its files, that cannot be used."""


class CheckpointError(SegnoiseError, RuntimeError):
    """A checkpoint that cannot be read, written or matched to the model."""


class TrainingError(SegnoiseError, RuntimeError):
    """A run that cannot go on, such as one with a loss that is no longer finite."""


class RecordError(SegnoiseError, ValueError):
    """A file that segnoise has written, and that is damaged or of another shape since."""
