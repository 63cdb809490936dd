"""The machine, the versions and the environment that is measured in; nothing that names the machine or its folders."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

__all__ = ["ROOT", "describe_setting", "environment"]

ROOT = Path(__file__).resolve().parents[1]
_PACKAGES = ("numpy", "h5py", "protobuf", "click", "rich")
_PROTOBUF = "from google.protobuf.internal import api_implementation as api; print(api.Type())"


def environment() -> dict[str, str]:
    """This process' own, with the checkout importable and without switches that would slow Python down."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return {**kept, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}


def describe_setting(work: Path, command: str) -> tuple[tuple[str, str], ...]:
    """Rows for the head of the page; `work` is where files are written."""
    versions = [f"{name} {importlib.metadata.version(name)}" for name in _PACKAGES]
    done = subprocess.run([sys.executable, "-c", _PROTOBUF], capture_output=True, text=True, check=True)
    versions[2] += f" ({done.stdout.strip()})"
    return (
        ("date", datetime.datetime.now(datetime.timezone.utc).date().isoformat()),
        ("command", f"`{command}`"),
        ("processor", f"{_processor()}, {os.cpu_count()} cores"),
        ("memory", f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GiB"),
        ("system", f"{platform.system()} {'.'.join(platform.release().split('.')[:2])}, {_file_system(work)}"),
        ("Python", f"{platform.python_version()}; {', '.join(versions)}"),
    )


def _processor() -> str:
    with_name = re.compile(r"^model name\s*: (.*)$", re.MULTILINE)
    try:
        found = with_name.search(Path("/proc/cpuinfo").read_text())
    except OSError:
        found = None
    return found[1] if found else platform.processor() or platform.machine()


def _file_system(folder: Path) -> str:
    """The type of the file system that a folder is on, where the system says."""
    try:
        lines = Path("/proc/mounts").read_text().splitlines()
    except OSError:
        return "unknown file system"
    resolved = folder.resolve()
    return max(_types_of_parents(lines, resolved), default=(0, "unknown file system"))[1]


def _types_of_parents(lines: list[str], folder: Path) -> Iterator[tuple[int, str]]:
    for line in lines:
        _, place, kind, *_ = line.split()
        if folder.is_relative_to(place):
            yield len(place), kind
