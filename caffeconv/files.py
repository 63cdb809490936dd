"""Opening input files: regular files only, and every failure is one line that names the path."""

from __future__ import annotations

import mmap
import os
import pathlib
import stat
from typing import BinaryIO, TypeAlias

from caffeconv.errors import ParseError

__all__ = ["Path", "map_file", "open_file"]

Path: TypeAlias = str | os.PathLike[str]


def open_file(path: Path) -> BinaryIO:
    """Open a file for reading. Raises: ParseError, when it is missing, a folder, a pipe or unreadable."""
    name = os.fspath(path)
    try:
        mode = pathlib.Path(name).stat().st_mode
        if stat.S_ISDIR(mode):
            raise ParseError(f"{name} is a folder; a file was expected here")
        if not stat.S_ISREG(mode):  # opening a pipe would wait for ever
            raise ParseError(f"{name} is not a regular file")
        return pathlib.Path(name).open("rb")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ParseError(f"{name} cannot be read: {reason}") from error


def map_file(path: Path) -> mmap.mmap:
    """Map a whole file read-only; the mapping lives as long as anything points into it. Raises: ParseError."""
    with open_file(path) as file:
        try:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise ParseError(f"{os.fspath(path)} cannot be mapped into memory: {error}") from error
