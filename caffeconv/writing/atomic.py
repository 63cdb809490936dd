"""Output files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from caffeconv.errors import WriteError
from caffeconv.model import StrPath

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["appearing", "beside", "replacing"]


@contextlib.contextmanager
def replacing(path: StrPath) -> Iterator[Path]:
    """Yield an empty temporary file beside `path`, which takes the place of `path` when the block ends well.

    When it does not, whatever the reason, the temporary file is removed and what was at `path` stays. A symbolic
    link stays and the file it points to is replaced. The new file gets the permissions of any new file.

    Raises WriteError, naming `path`, for every OSError of the block too: no such folder, no permission, disk full.
    """
    # A device or a pipe would be replaced by a file, so only files are.
    target = Path(os.path.realpath(path))
    try:
        existed = _check(target)
        with beside(target) as temporary:
            yield temporary
            if existed:
                # The old file is gone for good after the next step, so the new one must have reached the disk.
                with temporary.open("rb+") as file:
                    os.fsync(file.fileno())
            temporary.replace(target)
    except OSError as error:
        raise _write_error(path, error) from error


@contextlib.contextmanager
def beside(target: Path) -> Iterator[Path]:
    """Yield an empty temporary file in the folder of `target`, which is gone when the block ends."""
    temporary = _create_beside(target)
    try:
        yield temporary
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


@contextlib.contextmanager
def appearing(path: StrPath, text: str | Callable[[], str]) -> Iterator[None]:
    """Write a text file that appears when the block ends well, and only then; a function gives the text at its end.

    Raises WriteError as `replacing` does.
    """
    with replacing(path) as temporary:
        # A name that came from no text may hold what is no character.
        if isinstance(text, str):
            temporary.write_text(text, "utf-8", errors="backslashreplace")
        yield
        if not isinstance(text, str):
            temporary.write_text(text(), "utf-8", errors="backslashreplace")


def _check(target: Path) -> bool:
    """Whether there is a file to be replaced; what is no file raises."""
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        if not target.parent.is_dir():
            raise FileNotFoundError(0, f"there is no folder {target.parent}") from None
        return False
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(0, "this is a folder")
    if not stat.S_ISREG(mode):
        raise FileExistsError(0, "this is a device or a pipe, not a file")
    return True


def _create_beside(target: Path) -> Path:
    # 64 bytes of the name stay within every file system's limit, in any encoding.
    start = os.fsdecode(os.fsencode(target.name)[:64])
    temporary = target.with_name(f".{start}.{os.urandom(6).hex()}.tmp")
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666))
    return temporary


def _write_error(path: StrPath, error: OSError) -> WriteError:
    # HDF5 puts its own state into the text of an error; the system's words for its number say what is wrong.
    reason = os.strerror(error.errno) if error.errno else " ".join((error.strerror or str(error)).split())
    return WriteError(f"{os.fspath(path)}: cannot be written: {reason}")
