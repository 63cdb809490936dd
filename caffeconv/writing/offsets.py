"""Writing at offsets of an open file, whatever the system."""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from caffeconv.writing.tiles import WriteAt

__all__ = ["writes_at"]


def writes_at(descriptor: int) -> WriteAt:
    """How to write at offsets of an open file."""
    if sys.platform == "win32":
        lock = threading.Lock()

        def write_some(data: memoryview, offset: int) -> int:
            with lock:
                os.lseek(descriptor, offset, os.SEEK_SET)
                return os.write(descriptor, data)
    else:

        def write_some(data: memoryview, offset: int) -> int:
            return os.pwrite(descriptor, data, offset)

    def write_at(offset: int, data: memoryview) -> None:
        while data:
            count = write_some(data, offset)
            data, offset = data[count:], offset + count

    return write_at
