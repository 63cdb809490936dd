"""How a command ends: exit status, and what stops it in one line."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

import click

from caffeconv.cli.text import one_line
from caffeconv.errors import CaffeconvError

__all__ = ["guarded"]

_SHOWN = 9


def guarded(run: Callable[[], None]) -> None:
    """Run a command; what stops it on purpose is one line on stderr and exit status 1."""
    try:
        run()
        sys.stdout.flush()
    except CaffeconvError as error:
        click.echo(f"error: {one_line(_text(error))}", err=True)
        sys.exit(1)
    except BrokenPipeError:
        # The reader of our output has seen enough, and the interpreter must not try to tell it more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        click.echo(f"error: {error.strerror or error}", err=True)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _text(error: CaffeconvError) -> str:
    """The error with the warnings that came before it, which may tell why."""
    if not error.warnings:
        return str(error)
    more = len(error.warnings) - _SHOWN
    shown = "; ".join(error.warnings[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")
    return f"{error} | also warned: {shown}"
