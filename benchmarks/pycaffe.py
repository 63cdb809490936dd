"""A real Caffe, wherever it runs, as something to time."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from measuring import BenchmarkError, Case, Measurement

__all__ = ["find_pycaffe", "serve"]

_HERE = Path(__file__).resolve().parent
_PROGRAMS = ("pycaffe_extraction.py", "plain_keras.py")


def find_pycaffe() -> tuple[list[str] | None, str]:
    """The command that starts pycaffe's Python, or why there is none.

    It is `$CAFFECONV_PYCAFFE`, or what `docker/bring_up_pycaffe.sh` brings up.
    """
    command = os.environ.get("CAFFECONV_PYCAFFE")
    if command is None:
        script = _HERE.parent / "docker" / "bring_up_pycaffe.sh"
        done = subprocess.run(["sh", script], capture_output=True, text=True, check=False)
        if done.returncode:
            return None, (done.stderr.strip() or "bring_up_pycaffe.sh failed").splitlines()[-1]
        command = done.stdout.strip()
    words = shlex.split(command)
    check = [*words, "-c", "import caffe, h5py"]
    try:
        done = subprocess.run(check, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    except OSError as error:
        return None, f"{words[0]} does not start: {error.strerror}"
    return (words, "") if done.returncode == 0 else (None, f"no Caffe with h5py: {shlex.join(check)} fails")


@contextlib.contextmanager
def serve(command: list[str], folder: Path, name: str) -> Iterator[Case]:
    """A case that has Caffe extract a net's weights; the files are sent once, for they are not shared.

    Only the extraction is timed, where it runs: a process of its own, with the import of caffe in it.
    """
    program = (_HERE / "pycaffe_server.py").read_bytes()
    loader = f"import sys; exec(compile(sys.stdin.buffer.read({len(program)}), 'pycaffe_server', 'exec'))"
    files = [(each, _HERE / each) for each in _PROGRAMS]
    files += [(f"net.{suffix}", folder / f"{name}.{suffix}") for suffix in ("prototxt", "caffemodel", "json")]
    server = subprocess.Popen(
        [*command, "-c", loader], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert server.stdin is not None and server.stdout is not None
    given, answers = server.stdin, server.stdout

    def run() -> Measurement:
        given.write(b"run\n")
        given.flush()
        answer = json.loads(answers.readline() or b"[]")
        if not answer:
            raise BenchmarkError(f"pycaffe did not extract {name}")
        seconds, kilobytes = answer
        return Measurement(seconds, kilobytes / 1024)

    try:
        given.write(program)
        given.write(json.dumps([[each, path.stat().st_size] for each, path in files]).encode() + b"\n")
        for _, path in files:
            with path.open("rb") as file:
                shutil.copyfileobj(file, given, 1 << 20)
        given.flush()
        yield Case("pycaffe", run)
    finally:
        with contextlib.suppress(BrokenPipeError):
            given.close()
        server.wait()
        answers.close()
