"""What an unfinished noisy copy has done so far, a line of JSON a file, so that it can go on."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from segnoise.datasets.labels.copy_manifest import UNFINISHED, MaskRecord, check_head
from segnoise.files import naming, replacing
from segnoise.noise import NoiseReport
from segnoise.records import read_lines

JOURNAL = f"{UNFINISHED}/journal.jsonl"


@dataclass(frozen=True)
class Done:
    """One file that has been written.

    Attributes:
        record: What the manifest will say about it.
        report: Its realised noise, as `NoiseReport.to_dict` writes it.
    """

    record: MaskRecord
    report: dict[str, Any]


class Journal:
    """The journal of a copy, in the folder `.unfinished` inside it.

    The folder also takes the files that are being written, before they are renamed to their
    places: what a kill leaves behind is all in it.

    Args:
        folder: The copy's folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / UNFINISHED
        self._path = folder / JOURNAL

    def read(self) -> tuple[dict[str, Any] | None, list[Done]]:
        """Return the head and the files done; (None, []) if no head has been written.

        The journal ends at the first line that is damaged, such as one that a kill has cut.
        """
        head: dict[str, Any] | None = None
        done: list[Done] = []
        try:
            for _, line in read_lines(self._path, dict):
                if head is None:
                    check_head(line)
                    head = line
                else:
                    NoiseReport.from_dict(line["report"])
                    done.append(Done(MaskRecord.from_dict(line["record"]), line["report"]))
        except (LookupError, TypeError, ValueError):  # TypeError: a line that is no JSON is None
            pass
        return head, done

    def exists(self) -> bool:
        """Return whether a copy has been begun in the folder, whatever its journal says."""
        return self._path.is_file()

    def start(self, head: Mapping[str, Any], done: list[Done]) -> None:
        """Begin with a head and files done before."""
        lines = [json.dumps(head), *(json.dumps(asdict(entry)) for entry in done)]
        with replacing(self._path) as temporary, temporary.open("w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def add(self, entries: list[Done]) -> None:
        """Note files that are in their places."""
        with naming(self._path), self._path.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(asdict(entry)) + "\n" for entry in entries)

    def remove(self) -> None:
        """Remove the journal and its folder: the copy is finished."""
        self._path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # gone, or not empty
            self.folder.rmdir()
