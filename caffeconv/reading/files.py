"""Opening input files: regular files only, and every failure is one line that names the path."""

from __future__ import annotations

import mmap
import os
import pathlib
import stat
import weakref
from typing import BinaryIO

from caffeconv.errors import ParseError
from caffeconv.model import StrPath

__all__ = ["MappedFile", "map_file", "open_file", "read_rest"]


def open_file(path: StrPath) -> BinaryIO:
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


class MappedFile(mmap.mmap):
    """A mapping that keeps its file open, for those who would rather read some places than touch their pages."""

    descriptor: int


def map_file(file: BinaryIO) -> MappedFile:
    """Map a whole file read-only; mapping and file live as long as anything points into it. Raises: ParseError."""
    try:
        mapped = MappedFile(file.fileno(), 0, access=mmap.ACCESS_READ)
        mapped.descriptor = os.dup(file.fileno())
    except (OSError, ValueError) as error:
        raise ParseError(f"{file.name} cannot be mapped into memory: {error}") from error
    weakref.finalize(mapped, os.close, mapped.descriptor)
    return mapped


def read_rest(file: BinaryIO, size: int = -1) -> bytes:
    """What follows in a file, at most `size` bytes. Raises: ParseError."""
    try:
        return file.read(size)
    except OSError as error:
        raise ParseError(f"{file.name} cannot be read: {error.strerror}") from error
