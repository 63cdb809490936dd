"""Asks a real Caffe, wherever it runs: sends `pycaffe_probe.py` and its jobs to a Python that can import caffe.

The command is `$CAFFECONV_PYCAFFE`, default `python3`, for example what `docker/bring_up_pycaffe.sh` prints. It must
start a Python with the arguments that follow it, as they are, and pass stdin and stdout through; nothing else is shared
with it. (ssh has a shell parse the arguments again, so it needs a wrapper that quotes them once more.)
"""

from __future__ import annotations

import functools
import io
import json
import os
import pathlib
import shlex
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["PycaffeError", "ask", "missing"]

PROBE = pathlib.Path(__file__).with_name("pycaffe_probe.py")

Job = dict[str, Any]
Files = Mapping[str, bytes]


class PycaffeError(Exception):
    """The command did not run the probe."""


def command() -> list[str]:
    """The words of the command that starts pycaffe's Python."""
    return shlex.split(os.environ.get("CAFFECONV_PYCAFFE") or "python3")


@functools.cache
def missing() -> str | None:
    """Why there is no Caffe to ask, or `None` if there is one."""
    line = [*command(), "-c", "import caffe"]
    try:
        run = subprocess.run(line, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    except OSError as error:
        return f"{command()[0]} does not start: {error.strerror}"
    if run.returncode:
        return f"no Caffe: {shlex.join(line)} fails (docker/bring_up_pycaffe.sh brings one up)"
    return None


def ask(jobs: Sequence[Job], files: Files) -> dict[str, dict[str, bytes]]:
    """Has real Caffe do the jobs, with these files at hand: job name → file name → content.

    A job that Caffe refused has the one file `error.txt`. See `pycaffe_probe` for the jobs.

    Raises:
        PycaffeError: the command fails or answers with something else than a tar.
    """
    program = PROBE.read_bytes()
    loader = f"import sys; exec(compile(sys.stdin.buffer.read({len(program)}), 'pycaffe_probe', 'exec'))"
    given = program + _tar({"jobs.json": json.dumps(jobs).encode(), **files})
    try:
        run = subprocess.run([*command(), "-c", loader], input=given, capture_output=True, check=False)
    except OSError as error:
        raise PycaffeError(f"{command()[0]} does not start: {error.strerror}") from error
    if run.returncode:
        raise PycaffeError(f"{shlex.join(command())} exits with {run.returncode}: {run.stderr.decode()[-2000:]}")
    try:
        return _answers(run.stdout)
    except tarfile.TarError as error:
        raise PycaffeError(f"{shlex.join(command())} answers with no tar: {error}") from error


def _tar(files: Files) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _answers(content: bytes) -> dict[str, dict[str, bytes]]:
    answers: dict[str, dict[str, bytes]] = {}
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        for entry in tar:
            job, _, name = entry.name.rpartition("/")
            file = tar.extractfile(entry)
            if file is not None:
                answers.setdefault(job, {})[name] = file.read()
    return answers
