"""What an unfinished noisy copy has done so far, a line of JSON a file, so that it can go on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from segnoise.datasets.copy_manifest import UNFINISHED, MaskRecord
from segnoise.files import write_text


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
        self._path = self.folder / "journal.jsonl"

    def read(self) -> tuple[dict[str, Any] | None, list[Done]]:
        """Return the head and the files done; (None, []) if no head has been written.

        A line that a kill has cut is left out.
        """
        lines = self._lines()
        head = next(lines, None)
        done = [Done(MaskRecord.from_dict(line["record"]), line["report"]) for line in lines]
        return head, done

    def start(self, head: Mapping[str, Any], done: list[Done]) -> None:
        """Begin with a head and files done before, and clear the folder of other files."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for path in self.folder.iterdir():
            if path != self._path:
                path.unlink()
        lines = [json.dumps(head), *(json.dumps(asdict(entry)) for entry in done)]
        write_text(self._path, "\n".join(lines) + "\n")

    def add(self, entries: list[Done]) -> None:
        """Note files that are in their places."""
        with self._path.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(asdict(entry)) + "\n" for entry in entries)

    def remove(self) -> None:
        """Remove the journal and its folder: the copy is finished."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _lines(self) -> Iterator[dict[str, Any]]:
        if not self._path.is_file():
            return
        for line in self._path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                yield json.loads(line)
            except json.JSONDecodeError:
                return
