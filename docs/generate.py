"""Writes the parts of the documentation that the program itself knows, so that they cannot drift.

python docs/generate.py            write docs/command-line.md and docs/layers.md
python docs/generate.py --check    fail if they are not what would be written
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click
from click.testing import CliRunner

from caffeconv.cli import main as command
from caffeconv.keras.rules.table import WEIGHTED

DOCS = Path(__file__).resolve().parent
NOTICE = "<!-- Written by docs/generate.py (`make docs`); changes made here are lost. -->"


def command_line() -> str:
    """The help pages of all commands."""
    parts = ["# The command line", NOTICE, "Notes and errors go to stderr, results to stdout. "
             "Exit status: 0 done, 1 the conversion failed and no file was written, 2 wrong usage."]  # fmt: skip
    for words in pages(command):
        # click wraps at the width of the terminal, which must not matter here.
        shown = CliRunner().invoke(command, [*words, "--help"], prog_name="caffeconv", terminal_width=100)
        parts += [f"## `{' '.join(['caffeconv', *words])}`", f"```text\n{shown.output.strip()}\n```"]
    return "\n\n".join(parts) + "\n"


def pages(group: click.Group) -> Iterator[list[str]]:
    yield []
    yield from ([name] for name in group.commands)


def layers() -> str:
    """The table of layer types, from the rules themselves."""
    rows = [
        f"| `{name}` | {rule.blobs} | {rule.keras} | {rule.weights} |".replace("|,", "\\|,")
        for name, rule in WEIGHTED.items()
    ]
    head = ["| Caffe type | Caffe's blobs | Keras layer | arrays, in load order |", "| --- | --- | --- | --- |"]
    text = (
        "What is in brackets is there only if the layer has it. A layer of any other type that has blobs is written "
        "as stored, with a note, as `weights_0`, `weights_1`, …; `--skip-unknown` leaves it out. "
        "`caffeconv layers` prints this table."
    )
    return "\n\n".join(["# Layer types", NOTICE, text, "\n".join([*head, *rows])]) + "\n"


def main() -> int:
    pages_made = {DOCS / "command-line.md": command_line(), DOCS / "layers.md": layers()}
    if "--check" in sys.argv[1:]:
        stale = [path.name for path, text in pages_made.items() if not path.exists() or path.read_text("utf-8") != text]
        print(f"out of date, run make docs: {', '.join(stale)}" if stale else "docs are up to date")
        return 1 if stale else 0
    for path, text in pages_made.items():
        path.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
