"""Folders compared file by file."""

from segnoise.output_folder import MARK


def tree(folder):
    """Return {path below the folder: bytes}, without the list of our files."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != MARK)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
