"""Outputs appear whole or not at all."""

import errno
import json
import os
import stat

import pytest

from segnoise.errors import ConfigError, DataError
from segnoise.files import (
    is_temporary,
    read_text,
    regular,
    replacing,
    user_path,
    write_json,
    write_text,
)


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


@pytest.mark.parametrize(
    "name", ["x" * 255, "x" * 242 + ".png", "ü" * 120 + ".png", "a." + "b" * 250]
)
def test_temporary_names_are_no_longer_than_the_longest_target(tmp_path, name):
    with replacing(tmp_path / name) as temporary:
        temporary.write_text("whole")
        assert len(os.fsencode(temporary.name)) <= len(os.fsencode(name))
    assert (tmp_path / name).read_text() == "whole"
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_short_names_keep_their_suffix(tmp_path):
    with replacing(tmp_path / "a.png") as temporary:
        assert is_temporary(temporary.name)
        assert temporary.suffix == ".png"


def test_only_regular_files_are_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "socket").symlink_to("/dev/null")
    for path, kind in {"pipe": "a named pipe", "socket": "a device", ".": "a folder"}.items():
        with pytest.raises(DataError, match=f"is {kind}, not a file"):
            read_text(tmp_path / path)
    with pytest.raises(DataError, match="NUL"):
        regular(tmp_path / "a\0b")
    with pytest.raises(FileNotFoundError):
        regular(tmp_path / "nothing")
    (tmp_path / "text").write_bytes("\ufeffé\r\n".encode())
    assert read_text(tmp_path / "text") == "é\r\n"


def test_paths_as_users_write_them(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert user_path("~/data").as_posix() == "/home/me/data"
    with pytest.raises(ConfigError, match="knows no such user"):
        user_path("~nobody-of-this-name/data")
    with pytest.raises(ConfigError, match=r"'a\\x00b' holds a NUL"):
        user_path("a\0b")


def test_text_that_utf_8_cannot_hold_is_escaped(tmp_path):
    write_text(tmp_path / "a.md", "é \udcff")
    assert (tmp_path / "a.md").read_text(encoding="utf-8") == "é \\udcff"


def test_errors_are_safe_to_print():
    error = DataError("a\x1b[2Jb\udcff: no\n  - second line")
    assert str(error) == "a\\x1b[2Jb\\udcff: no\n  - second line"
