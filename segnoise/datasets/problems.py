"""What is wrong with a data set, file by file, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from os import PathLike

from segnoise.errors import DataError
from segnoise.tables import printable

SHOWN = 5  # problems that a message spells out; the rest are counted


@dataclass(frozen=True)
class Problem:
    """One thing wrong with one file, and its remedy.

    Example:
        >>> print(Problem("masks/a.png", "mask missing", "add it, or drop a from train.txt"))
        masks/a.png: mask missing; add it, or drop a from train.txt
    """

    path: str
    what: str
    remedy: str

    def __str__(self) -> str:
        return printable(f"{self.path}: {self.what}; {self.remedy}")

    def to_dict(self) -> dict[str, str]:
        """Return the three texts, ready for JSON."""
        return asdict(self)


class DatasetError(DataError):
    """A data set with one or more problems, all of them kept.

    Attributes:
        problems: Every problem found, also those that the message only counts.

    Args:
        problems: The problems, or a ready message (so that a process can hand it to another).
        title: Words put before several problems, such as the data set's name and folder.
    """

    problems: tuple[Problem, ...]

    def __init__(self, problems: Iterable[Problem] | str, title: str = "data set") -> None:
        if isinstance(problems, str):
            super().__init__(problems)
            self.problems = ()
            return
        self.problems = tuple(problems)
        if len(self.problems) == 1:
            super().__init__(str(self.problems[0]))
            return
        lines = [printable(f"{title}: {len(self.problems)} problems")]
        lines += [f"  - {problem}" for problem in self.problems[:SHOWN]]
        if len(self.problems) > SHOWN:
            lines.append(f"  ... and {len(self.problems) - SHOWN} more")
        super().__init__("\n".join(lines))


def one_problem(path: str | PathLike[str], what: str, remedy: str) -> DatasetError:
    """Return the error for a single problem."""
    return DatasetError([Problem(str(path), what, remedy)])


def problem_of(path: str | PathLike[str], error: DataError) -> DatasetError:
    """Return an error about a file, "path: what; remedy", as the error for a single problem."""
    what, _, remedy = str(error).removeprefix(f"{path}: ").partition("; ")
    return one_problem(path, what, remedy)


def problems_of(error: DataError, path: str | PathLike[str], remedy: str) -> Sequence[Problem]:
    """Return an error's problems; where it lists none, itself as the only one, about a file."""
    found = error.problems if isinstance(error, DatasetError) else ()
    return found or (Problem(str(path), str(error), remedy),)
