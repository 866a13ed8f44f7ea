"""Outputs appear whole or not at all."""

import errno
import json
import stat

import pytest

from segnoise.files import replacing, write_json, write_text


def test_a_failed_write_leaves_the_old_file(tmp_path):
    target = tmp_path / "report.txt"
    target.write_text("old")

    def write():
        with replacing(target) as temporary:
            temporary.write_text("half of the n")
            raise RuntimeError("disk")

    with pytest.raises(RuntimeError, match="disk"):
        write()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_good_write_replaces_and_is_readable_by_others(tmp_path):
    target = tmp_path / "new" / "report.txt"
    write_text(target, "text")
    assert target.read_text() == "text"
    assert target.stat().st_mode & stat.S_IROTH


def test_errors_name_the_file(tmp_path):
    target = tmp_path / "report.txt"

    def write(error):
        with replacing(target):
            raise error

    with pytest.raises(OSError, match="full") as raised:
        write(OSError(errno.ENOSPC, "full"))
    assert raised.value.filename == str(target)
    with pytest.raises(FileNotFoundError) as raised:
        write(FileNotFoundError(errno.ENOENT, "gone", "another.png"))
    assert raised.value.filename == "another.png"
    with pytest.raises(OSError, match="too long") as raised:
        write_text(tmp_path / ("x" * 300), "text")
    assert raised.value.filename == str(tmp_path / ("x" * 300))
    target.mkdir()
    with pytest.raises(IsADirectoryError) as raised:
        write_text(target, "text")
    assert raised.value.filename == str(target)


def test_json_refuses_nan(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"mIoU": float("nan")})
    write_json(tmp_path / "a.json", {"mIoU": None})
    assert json.loads((tmp_path / "a.json").read_text()) == {"mIoU": None}
