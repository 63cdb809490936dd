"""The command line. Results go to stdout, notes to stderr; exit status 0 done, 1 failed, 2 wrong usage."""

from caffeconv.cli.commands import main

__all__ = ["main"]
