"""The name of an output file, and the checks of it that come before any work is done."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

from caffeconv.errors import WriteError
from caffeconv.model import StrPath

__all__ = ["check_apart", "output_path"]

_ENDINGS = {"hdf5": (".h5", ".hdf5"), "pickle": (".pkl", ".pickle"), "py": (".py",), "keras": (".keras",)}


def output_path(name: StrPath, file_format: str, inputs: Sequence[StrPath] = ()) -> Path:
    """The file to write for an output `name`, to which the ending of the format is added where it has none.

    Raises:
        WriteError: the name is empty, or the file is one of the `inputs`, which are never overwritten.
    """
    name = os.fspath(name)
    endings = _ENDINGS[file_format]
    stem = name.removesuffix(endings[0])
    if Path(stem).name in ("", "..") or stem.endswith(("/", os.sep)):
        raise WriteError(f'"{name}" does not name a file to write')
    path = Path(name if name.endswith(endings) else name + endings[0])
    check_apart([path], inputs)
    return path


def check_apart(outputs: Sequence[StrPath], inputs: Sequence[StrPath]) -> None:
    """Make sure that all files which a run writes are different ones, and none that it reads, under whatever names.

    Links are followed, to files that are not there too; hard links of a file are that file.

    Raises:
        WriteError: two are one file.
    """
    known: dict[object, StrPath] = {}
    for other in inputs:
        known.update(dict.fromkeys(_identities(other), other))
    for path in outputs:
        identities = _identities(path)
        for same in (known[identity] for identity in identities if identity in known):
            what = "" if Path(path) == Path(same) else f", as {os.fspath(same)}"
            raise WriteError(f"{os.fspath(path)}: is a file of this conversion already{what}; choose another name")
        known.update(dict.fromkeys(identities, path))


def _identities(path: StrPath) -> list[object]:
    """What two names of one file have in common: where they lead to, and the file there."""
    found: list[object] = []
    with contextlib.suppress(OSError, ValueError):  # it is not there, or cannot be, which is said when it is opened
        found.append(os.path.normcase(os.path.realpath(path)))
        status = Path(path).stat()
        found += [(status.st_dev, status.st_ino)] if status.st_ino else []
    return found
