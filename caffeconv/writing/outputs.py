"""The name of an output file, and the checks of it that come before any work is done."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from caffeconv.errors import WriteError
from caffeconv.model import StrPath

__all__ = ["output_path", "refuse_inputs"]

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
    refuse_inputs(path, inputs)
    return path


def refuse_inputs(path: Path, others: Sequence[StrPath]) -> None:
    """Make sure that an output is none of the `others`, under whatever name.

    Raises:
        WriteError: it is.
    """
    for other in others:
        try:
            same = path.absolute() == Path(other).absolute() or path.samefile(other)
        except (OSError, ValueError):  # one of them is not there, or cannot be, which is said when it is opened
            same = False
        if same:
            raise WriteError(f"{path}: is a file of this conversion already; choose another name")
