"""Folders compared file by file."""


def tree(folder):
    """Return {path below the folder: bytes}."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
