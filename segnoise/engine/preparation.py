"""What comes before the first iteration: look at the data, and ready the run's folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from segnoise.engine import data, run_folder
from segnoise.engine.launch import on_main
from segnoise.engine.resume import Start
from segnoise.errors import RecordError
from segnoise.files import write_json, write_text
from segnoise.inspection.remarks import remarks_across, sentences
from segnoise.noise import NoiseReport
from segnoise.output_folder import OutputFolder
from segnoise.records import Maybe, Within, read_record

CHECK = {
    "num_samples": Within(1),
    "histogram": [Within(0)],
    "remarks": [dict],
    "noise": Maybe(dict),
    "fingerprint": str,
}
"""Schema of ``data.json``."""


def inspect(
    config: Mapping[str, Any], dataset: Any, validation: Any, folder: Path, reuse: bool
) -> tuple[dict[str, Any], str | None]:
    """Open all files: label counts and realised noise as numbers and text.

    A resumed run has them already, and gets no text.
    """
    key = data.fingerprint(config, dataset)
    known = on_main(lambda: _known_check(folder / "data.json", key)) if reuse else None
    if known:
        return known, None
    check = data.inspect(dataset, config, "training set")
    classes = dataset.metainfo["classes"]
    found, text = check.to_dict(), check.table(classes)
    if check.noise is not None:
        text += "\n\n" + check.noise.table(classes)
    if validation is not None:
        other = data.inspect(validation, config, "validation set")
        remarks = [*other.file_remarks, *remarks_across(check.seen, other.seen)]
        found["remarks"] += [remark.to_dict() for remark in remarks]
        text += "".join(f"\n\nNote, validation set: {words}" for words in sentences(remarks))
    return {**found, "fingerprint": key}, text


def _known_check(path: Path, key: str) -> dict[str, Any] | None:
    try:
        stored: dict[str, Any] = read_record(path, CHECK)
        if stored["noise"] is not None:
            NoiseReport.from_dict(stored["noise"])
    except (RecordError, ValueError, TypeError):
        return None  # not there, damaged, or another version's: look again
    return stored if stored["fingerprint"] == key else None


def prepare(
    out: OutputFolder,
    config: Mapping[str, Any],
    check: Mapping[str, Any],
    report: str | None,
    classes: Sequence[str],
    start: Start | None,
) -> None:
    """Ready the run's folder, now that nothing known in advance stands in the way."""
    folder = out.path
    if start is None:
        out.clear()
    out.expect(run_folder.RECORDS)
    if start is not None:
        run_folder.rewind(folder, start.path, start.meta)
    run_folder.record(folder, config)
    if report is not None:
        print(report, flush=True)
        samples = check["num_samples"]
        if config["batch_size"] > samples:
            print(
                f"Note: batch_size={config['batch_size']} is more than the {samples} samples: a "
                "batch holds some of them several times. Take a smaller one."
            )
    write_json(folder / "data.json", check)
    if check["noise"] is not None:
        write_json(folder / "noise.json", check["noise"])
        noise = NoiseReport.from_dict(check["noise"])
        write_text(folder / "noise.md", noise.table(classes) + "\n")
