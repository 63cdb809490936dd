"""A progress bar on stderr, where that is a terminal and the work takes long."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

__all__ = ["shown_progress"]

_PATIENCE = 1.0
"""Seconds after which a progress bar appears."""


@contextlib.contextmanager
def shown_progress(sizes: Sequence[Sequence[int]]) -> Iterator[Callable[[int], None]]:
    """A function to tell how many bytes are done; on a terminal a bar appears once it takes long."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    started = time.monotonic()
    shown: list[tuple[Progress, TaskID]] = []

    def advance(done: int) -> None:
        if not shown and time.monotonic() - started > _PATIENCE:
            from rich.console import Console
            from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

            columns = (BarColumn(), DownloadColumn(), TimeRemainingColumn())
            bar = Progress(*columns, console=Console(stderr=True), transient=True)
            bar.start()
            shown.append((bar, bar.add_task("", total=4 * sum(map(sum, sizes)))))
        for bar, task in shown:
            bar.update(task, completed=done)

    try:
        yield advance
    finally:
        for bar, _ in shown:
            bar.stop()
