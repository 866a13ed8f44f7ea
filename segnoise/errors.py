"""Errors that are the user's to mend: the tools print them as one line and exit with code 2."""

from __future__ import annotations


class SegnoiseError(Exception):
    """Base of all errors that name a cause and a remedy."""


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
