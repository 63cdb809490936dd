"""Tables on stdout: folded to fit where it is a terminal, else a line per row, however long, for files and pipes."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from caffeconv.cli.text import printable

__all__ = ["print_table"]

_GAP = "   "


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str] = ()) -> None:
    """Print `rows` under `columns`, those named in `right` aligned to their right edge."""
    shown = [[printable(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        _print_folded(columns, shown, right)
    else:
        _print_plain(columns, shown, right)


def _print_plain(columns: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str]) -> None:
    widths = [max(map(len, cells)) for cells in zip(columns, *rows, strict=True)]
    rule = _GAP.join("-" * width for width in widths)
    lines = [columns, *rows]
    for number, line in enumerate(lines):
        cells = (
            cell.rjust(width) if name in right else cell.ljust(width)
            for name, cell, width in zip(columns, line, widths, strict=True)
        )
        print(_GAP.join(cells).rstrip())
        if number == 0:
            print(rule)


def _print_folded(columns: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    Console(highlight=False).print(table)
