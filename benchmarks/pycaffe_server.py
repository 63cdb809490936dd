"""Runs and measures `pycaffe_extraction.py` where pycaffe is. Runs in pycaffe's Python (3.6 or later).

stdin     a line of JSON, [[file name, size], …], and the bytes of these files, one after the other; `net.prototxt`,
          `net.caffemodel`, `net.json` and the programs are among them. After that a line for every run to make.
stdout    for every run a line of JSON: [seconds, kilobytes of peak memory] of the whole process, or [] if it failed.

Nothing big is imported here: a child's peak memory counts from that of its parent on.
"""

import json
import os
import subprocess
import sys
import tempfile
import time


def receive(stream):
    """Store the files in the working folder."""
    for name, size in json.loads(stream.readline().decode()):
        with open(name, "wb") as file:  # noqa: PTH123  (Python 3.6)
            while size:
                portion = stream.read(min(size, 1 << 20))
                if not portion:
                    raise EOFError(name)
                size -= file.write(portion)


def run():
    """One extraction."""
    command = [sys.executable, "pycaffe_extraction.py", "net.prototxt", "net.caffemodel", "net.json", "out.h5"]
    start = time.monotonic()
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=2)
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.monotonic() - start
    child.returncode = status
    if status:
        return []
    os.unlink("out.h5")  # noqa: PTH108  (Python 3.6)
    return [seconds, usage.ru_maxrss]


def main():
    """Until stdin ends."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        receive(sys.stdin.buffer)
        os.sync()
        for _ in sys.stdin.buffer:
            print(json.dumps(run()), flush=True)
        os.chdir("/")


main()
