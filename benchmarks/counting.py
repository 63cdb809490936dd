"""Instructions of the copy engine, counted by valgrind's callgrind."""

from __future__ import annotations

import concurrent.futures
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from measuring import BenchmarkError
from results import Counts

__all__ = ["count_instructions"]

_PROGRAM = Path(__file__).with_name("copy_engine.py")
_CASES = (
    "as stored", "1×1 kernels", "2×2 kernels", "4×4 kernels", "fc", "fc behind feature maps", "fc of float64",
    "fc of float16",
)  # fmt: skip
_FEW, _MANY = 1, 3
_COLLECTED = re.compile(r"Collected\s*:\s*(\d+)")


def count_instructions(environment: Mapping[str, str], values: int) -> tuple[tuple[Counts, ...], str]:
    """Instructions per value of every case, or none and why; `values` is how many values a case copies."""
    if shutil.which("valgrind") is None:
        return (), "instructions were not counted: there is no valgrind"
    wanted = [(case, times) for case in _CASES for times in (_FEW, _MANY)]
    # Unlike times, counts do not suffer from company.
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        found = dict(zip(wanted, pool.map(lambda each: _count(each[0], each[1], environment), wanted), strict=True))
    more = values * (_MANY - _FEW)
    return tuple(Counts(case, (found[case, _MANY] - found[case, _FEW]) / more) for case in _CASES), ""


def _count(case: str, times: int, environment: Mapping[str, str]) -> int:
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", sys.executable, str(_PROGRAM), case]
    # The order of sets must not depend on chance.
    fixed = {**environment, "PYTHONHASHSEED": "0"}
    done = subprocess.run([*command, str(times)], env=fixed, capture_output=True, text=True, check=False)
    collected = _COLLECTED.search(done.stderr)
    if done.returncode or collected is None:
        raise BenchmarkError(f"{' '.join(command)}: {done.stderr[-2000:]}")
    return int(collected[1])
