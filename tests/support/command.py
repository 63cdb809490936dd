"""Runs the command line: in this process, or in one of its own."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from caffeconv.cli import main
from tests.support.places import CHECKOUT

__all__ = ["Outcome", "caffeconv", "environment", "in_a_process"]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a run left behind: exit status, stdout and stderr."""

    status: int
    out: str
    err: str


def caffeconv(*arguments: str | Path) -> Outcome:
    """`caffeconv ARGUMENTS`, in this process; an exception that the command lets through is raised again."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments], prog_name="caffeconv")
    assert isinstance(ended.value.code, int)
    return Outcome(ended.value.code, out.getvalue(), err.getvalue())


def in_a_process(*arguments: str | Path, folder: Path | None = None) -> Outcome:
    """`python -m caffeconv ARGUMENTS`."""
    done = subprocess.run(
        [sys.executable, "-m", "caffeconv", *map(str, arguments)],
        cwd=folder, env=environment(), capture_output=True, check=False,
    )  # fmt: skip
    return Outcome(done.returncode, done.stdout.decode(), done.stderr.decode())


def environment() -> dict[str, str]:
    """This process' own, with the checkout importable."""
    return {**os.environ, "PYTHONPATH": str(CHECKOUT), "PYTHONIOENCODING": "utf-8"}
