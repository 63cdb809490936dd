"""The name of an output file, and the checks of it that come before any work is done."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from caffeconv.errors import WriteError

__all__ = ["output_path"]

_ENDINGS = {"hdf5": (".h5", ".hdf5"), "pickle": (".pkl", ".pickle")}


def output_path(name: str | os.PathLike[str], file_format: str, inputs: Sequence[str | os.PathLike[str]] = ()) -> Path:
    """The file to write for an output `name`, to which the ending of the format is added where it has none.

    Raises:
        WriteError: the name is empty, or the file is one of the `inputs`, which are never overwritten.
    """
    name = os.fspath(name)
    endings = _ENDINGS[file_format]
    path = Path(name if name.endswith(endings) else name + endings[0])
    if path.name in endings:
        raise WriteError(f'{name}: the output needs a name before "{path.name}"')
    for source in inputs:
        if path.exists() and Path(source).exists() and path.samefile(source):
            raise WriteError(f"{path}: is the input file itself; choose another name")
    return path
