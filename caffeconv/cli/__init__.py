"""The command line. Results go to stdout, notes to stderr; exit status 0 done, 1 failed, 2 wrong usage."""

from __future__ import annotations

import os

# The command line has no use for BLAS threads, whose start-up costs more than a small conversion.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from caffeconv.cli.commands import main

__all__ = ["main"]
