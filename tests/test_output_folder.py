"""Folders of results: whose they are, what is removed from them, and who writes there."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time

import pytest
from trees import tree

from segnoise import lock
from segnoise.errors import ConfigError
from segnoise.lock import LOCK, locked
from segnoise.output_folder import MARK, announce, claim, keep_apart

KIND = "a report"


def written(folder, *names, kind=KIND):
    """Claim a folder and write files as a tool does."""
    with claim(folder, kind) as out:
        out.expect(names)
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text("ours")


def refused(folder, words, kind=KIND):
    """See that a folder is refused and that nothing near it changes."""
    before = tree(folder.parent)
    with pytest.raises(ConfigError, match=words), claim(folder, kind):
        pytest.fail("claimed")
    assert tree(folder.parent) == before


def test_new_empty_and_own_folders_are_claimed(tmp_path):
    (tmp_path / "empty").mkdir()
    for name in ("new/below", "empty"):
        for _ in range(2):
            written(tmp_path / name, "a.txt", "sub/b.txt")
        assert tree(tmp_path / name) == {"a.txt": b"ours", "sub/b.txt": b"ours"}


def test_foreign_content_is_refused_by_name(tmp_path):
    folder = tmp_path / "photos"
    (folder / "pictures").mkdir(parents=True)
    (folder / "pictures" / "cat.png").write_text("cat")
    words = r"--out .*photos holds 'pictures', which segnoise has not put there: take a new or an"
    refused(folder, words)
    (tmp_path / "link").symlink_to(folder)
    refused(tmp_path / "link", "holds 'pictures'")
    refused(folder / "pictures" / "..", "holds 'pictures'")
    refused(folder / "pictures", "holds 'cat.png'")
    refused(folder / "pictures" / "cat.png", "cat.png is a file, not a folder")
    refused(folder / "pictures" / "cat.png" / "x", "lies below .*cat.png, which is a file")
    written(tmp_path / "gallery", "a.png", kind="a gallery")
    refused(tmp_path / "gallery", "is a folder of a gallery, not of a report: take another one")


def test_only_listed_files_are_removed(tmp_path, capsys):
    folder, outside = tmp_path / "run", tmp_path / "outside"
    written(folder, "a.txt", "sub/b.txt", "sub/deep/c.txt", "kept/d.txt")
    outside.mkdir()
    (outside / "d.txt").write_text("mine")
    (folder / "kept" / "d.txt").unlink()
    (folder / "kept").rmdir()
    (folder / "kept").symlink_to(outside)  # a listed name now leads out of the folder
    (folder / "notes.txt").write_text("mine")
    (folder / "sub" / "notes.txt").write_text("mine")
    lines = (folder / MARK).read_text()
    (folder / MARK).write_text(lines + '"../outside/d.txt"\n"/etc/hosts"\n"sub"\n"."\n7\n"a.tx')
    with claim(folder, KIND) as out:
        assert set(out.held()) >= {"a.txt", "sub/b.txt", "sub/deep/c.txt"}
        out.refuse_finished()
        out.finish()
    with claim(folder, KIND) as out:
        with pytest.raises(ConfigError, match=r"holds a report already .*a.txt.* --overwrite"):
            out.refuse_finished()
        out.clear()
    assert tree(folder) == {"notes.txt": b"mine", "sub/notes.txt": b"mine"}
    assert tree(outside) == {"d.txt": b"mine"}
    assert "since segnoise has not put it there: kept, notes.txt, sub" in capsys.readouterr().err


def test_what_a_user_has_put_there_is_not_replaced(tmp_path):
    folder = tmp_path / "run"
    written(folder, "a.txt")
    (folder / "b.txt").write_text("mine")
    (folder / "c.txt").symlink_to(tmp_path / "nowhere")
    with claim(folder, KIND) as out:
        for name in ("b.txt", "c.txt"):
            with pytest.raises(ConfigError, match=rf"run/{name} is not of segnoise, and would be"):
                out.expect(["a.txt", name])
            with pytest.raises(ConfigError, match=name):
                announce(folder, name)
    assert tree(folder) == {"a.txt": b"ours", "b.txt": b"mine"}


def test_a_link_inside_is_not_written_through(tmp_path):
    folder, clean = tmp_path / "copy", tmp_path / "clean"
    written(folder, "a.txt")
    clean.mkdir()
    (folder / "masks").symlink_to(clean)
    with claim(folder, KIND) as out, pytest.raises(ConfigError, match=r"copy/masks is a link to "):
        out.expect(["masks/1.png"])


def test_a_refusal_leaves_nothing(tmp_path):
    def refuse():
        with claim(tmp_path / "new" / "deep", KIND):
            raise ConfigError("something else is wrong")

    with pytest.raises(ConfigError, match="something else"):
        refuse()
    assert list(tmp_path.iterdir()) == []


def test_a_line_that_a_kill_has_cut_spoils_no_other(tmp_path):
    written(tmp_path / "run", "a.txt")
    with (tmp_path / "run" / MARK).open("a") as file:
        file.write('"half')
    announce(tmp_path / "run", "b.txt")
    with claim(tmp_path / "run", KIND) as out:
        (tmp_path / "run" / "b.txt").touch()
        assert out.held() == ["a.txt", "b.txt"]
    announce(tmp_path, "nobody's.txt")
    assert not (tmp_path / MARK).exists()


@pytest.mark.parametrize("text", ["", "[]", "7\n", '{"kind": 3}\n', "\xff\xfe", "[" * 10**5])
def test_a_damaged_list_removes_nothing(tmp_path, text):
    written(tmp_path / "run", "a.txt")
    (tmp_path / "run" / MARK).write_bytes(text.encode("latin-1"))
    refused(tmp_path / "run", "is damaged, and nobody knows")


def test_temporary_files_of_killed_runs_are_removed(tmp_path):
    folder = tmp_path / "run"
    written(folder, "a.txt", "sub/b.txt")
    ours = [folder / ".segnoise-abcd1234.png", folder / "sub" / ".segnoise-a_c_1_3_"]
    users = [folder / ".segnoise-my-notes.txt", folder / ".last-abcd1234.pth"]
    for path in (*ours, *users, tmp_path / ".segnoise-abcd1234.png"):
        path.touch()
    with claim(folder, KIND):
        assert not any(path.exists() for path in ours)
        assert all(path.exists() for path in users)
    assert (tmp_path / ".segnoise-abcd1234.png").exists(), "no folder of ours"


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("data/images/run", "is among the data set's files in .*images"),
        ("data/images/train/b", "is among"),
        ("data/masks", "holds the data set's files in .*masks"),
        ("data/masks/new/scores.json", "is among the data set's files in .*masks"),
        ("data", "holds the data set's files in .*images"),
        (".", "holds"),
        ("link/new", "is among"),
        ("data/run", None),
        ("elsewhere", None),
    ],
)
def test_results_stay_apart_from_data(tmp_path, place, words):
    images = [tmp_path / "data" / "images" / "train" / part / "1.png" for part in "ab"]
    masks = [str(tmp_path / "data" / "masks" / "train" / part / "1.png") for part in "ab"]
    (tmp_path / "link").symlink_to(tmp_path / "data" / "masks" / "train" / "a")
    if words is None:
        keep_apart(tmp_path / place, images, masks)
    else:
        with pytest.raises(ConfigError, match=words):
            keep_apart(tmp_path / place, images, masks)


def hold(folder, ready):
    """Hold a folder's lock for ever."""
    with locked(folder):
        ready.set()
        time.sleep(60)


def test_the_lock_says_who_has_it_and_a_kill_frees_it(tmp_path):
    context = multiprocessing.get_context("fork")
    ready = context.Event()
    holder = context.Process(target=hold, args=(tmp_path, ready))
    holder.start()
    assert ready.wait(20)
    words = rf"is being written by another process, {holder.pid} on {os.uname().nodename} \("
    (tmp_path.parent / "second name").unlink(missing_ok=True)
    (tmp_path.parent / "second name").symlink_to(tmp_path)
    for name in (tmp_path, tmp_path.parent / "second name"):
        with pytest.raises(ConfigError, match=words), locked(name):
            pytest.fail("locked twice")
    os.kill(holder.pid, signal.SIGKILL)
    holder.join()
    assert (tmp_path / LOCK).exists()
    with locked(tmp_path):
        pass
    assert not (tmp_path / LOCK).exists()


def test_workers_of_a_killed_process_are_waited_for(tmp_path):
    code = (
        "import os, sys, time; from pathlib import Path; from segnoise.lock import locked\n"
        "with locked(Path(sys.argv[1])):\n"
        "    if os.fork() == 0: time.sleep(1.5); os._exit(0)\n"
        "    os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path], check=False)
    began = time.monotonic()
    with locked(tmp_path):
        assert time.monotonic() - began > 0.5


def test_a_file_system_without_locks_is_told(tmp_path, monkeypatch, capsys):
    def none(*_):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(lock.fcntl, "flock", none)
    written(tmp_path / "run", "a.txt")
    assert "is on a file system without locks" in capsys.readouterr().err
    assert set(os.listdir(tmp_path / "run")) == {"a.txt", MARK}


def test_what_is_listed_and_not_written_leaves_nothing(tmp_path):
    with claim(tmp_path / "new" / "run", KIND) as out:
        out.expect(["a.txt"])
    assert os.listdir(tmp_path) == []


def test_the_list_comes_before_the_file(tmp_path):
    with claim(tmp_path / "run", KIND) as out:
        out.expect(["a.txt", "\udc80.txt"])
        lines = (tmp_path / "run" / MARK).read_text().splitlines()
    assert json.loads(lines[0])["kind"] == KIND
    assert [json.loads(line) for line in lines[1:]] == ["a.txt", "\udc80.txt"]
