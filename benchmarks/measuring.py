"""Times whole processes, in turns, and the memory that each needed.

Nothing big is imported here: a child's peak memory counts from that of its parent on.
"""

from __future__ import annotations

import dataclasses
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

__all__ = ["BenchmarkError", "Case", "Figure", "Measurement", "measure", "process", "take_turns"]

_KILOBYTES = 1 / 1024 if sys.platform == "darwin" else 1.0


class BenchmarkError(Exception):
    """A process that was to be timed did not do its work."""


@dataclasses.dataclass(frozen=True)
class Measurement:
    """One run of a process: wall time from start to end, and its largest resident set."""

    seconds: float
    megabytes: float


@dataclasses.dataclass(frozen=True)
class Case:
    """Something to time, under the name that it has in the tables."""

    name: str
    run: Callable[[], Measurement]


@dataclasses.dataclass(frozen=True)
class Figure:
    """What the runs of a case came to: median and fastest time, the largest peak of memory."""

    name: str
    seconds: float
    fastest: float
    megabytes: float


def process(
    name: str, command: Sequence[str | Path], environment: Mapping[str, str], output: Path | None = None
) -> Case:
    """A case that runs a command; the file that it writes is removed after every run."""
    return Case(name, lambda: measure([str(word) for word in command], environment, output))


def measure(command: Sequence[str], environment: Mapping[str, str], output: Path | None = None) -> Measurement:
    """Run a command once. Raises BenchmarkError when it ends with another status than 0, or its output is missing."""
    start = time.monotonic()
    child = subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    assert child.stderr is not None
    words = child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.monotonic() - start
    child.returncode = status
    child.stderr.close()
    if status:
        raise BenchmarkError(f"{' '.join(command)}: {words.decode(errors='replace')[-2000:]}")
    if output is not None:
        if not output.exists():
            raise BenchmarkError(f"{' '.join(command)}: wrote no {output.name}")
        output.unlink()
    return Measurement(seconds, usage.ru_maxrss * _KILOBYTES / 1024)


def take_turns(cases: Sequence[Case], runs: int, say: Callable[[str], None]) -> tuple[Figure, ...]:
    """Run all cases once to warm the caches, then `runs` times: one after the other, every second time backwards.

    With no `runs`, the first time counts.
    """
    results: list[list[Measurement]] = [[] for _ in cases]
    for turn, order in enumerate(_orders(len(cases), runs)):
        for index in order:
            results[index].append(cases[index].run())
        say(f"turn {turn} of {runs}" if turn else "warm")
    return tuple(_figure(case.name, found[1:] or found) for case, found in zip(cases, results, strict=True))


def _orders(count: int, runs: int) -> Iterator[range]:
    for turn in range(runs + 1):
        yield range(count) if turn % 2 == 0 else range(count - 1, -1, -1)


def _figure(name: str, measurements: Sequence[Measurement]) -> Figure:
    seconds = [measurement.seconds for measurement in measurements]
    peak = max(measurement.megabytes for measurement in measurements)
    return Figure(name, statistics.median(seconds), min(seconds), peak)
