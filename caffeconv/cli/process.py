"""The command line as a process of its own, which may arrange itself as no library may."""

from __future__ import annotations

import gc
import io
import os
import signal
import sys

from caffeconv.cli.commands import main

__all__ = ["start"]


def start() -> None:
    """Run the command that the process was started with."""
    # BLAS threads, for which there is no use here, and looking for garbage in a process that ends when its work is
    # done, each take as long as a small conversion.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    gc.disable()
    for stream in (sys.stdout, sys.stderr):
        # What a terminal or a file cannot show is written as an escape, and never a reason to fail.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    # So that a temporary file is removed on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        main(prog_name="caffeconv")
    finally:
        gc.freeze()
