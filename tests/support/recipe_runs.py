"""The code of docs/recipes.md: found by its headings and fences, and run in a folder."""

from __future__ import annotations

import importlib
import itertools
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import environment
from tests.support.places import CHECKOUT
from tests.support.python_models import using

__all__ = ["FENCE", "PAGE", "SECTIONS", "Folder", "Left", "commands_of"]

PAGE = CHECKOUT / "docs" / "recipes.md"
FENCE = "```"
PROGRAMS = {"caffeconv": (sys.executable, "-m", "caffeconv"), "python": (sys.executable,)}

Left = dict[str, Any]
"""The variables that a recipe leaves behind."""


@dataclass(frozen=True)
class Block:
    """Code between fences, and the line of the page that it begins in."""

    language: str
    line: int
    text: str

    @property
    def file(self) -> str | None:
        """The file that it is meant to be, if its first line says so."""
        named = re.match(r"# (\w+\.py)\n", self.text)
        return named and named[1]


def sections_of(page: str) -> dict[str, list[Block]]:
    """The blocks under each heading of the second level, by the heading as far as its colon."""
    sections: dict[str, list[Block]] = {}
    blocks: list[Block] = []
    lines = iter(enumerate(page.splitlines(), start=1))
    for number, line in lines:
        if line.startswith("## "):
            blocks = sections.setdefault(line[3:].partition(":")[0], [])
        elif line.lstrip().startswith(FENCE):
            inside = list(itertools.takewhile(lambda each: each[1] != FENCE, lines))
            text = "".join(f"{each}\n" for _, each in inside)
            blocks.append(Block(line.removeprefix(FENCE), number + 1, text))
    return sections


SECTIONS = sections_of(PAGE.read_text(encoding="utf-8"))


def run_section(blocks: Iterable[Block], folder: Path) -> Left:
    """Every block in its order, in a folder, which is the working directory; all of Python in one namespace."""
    left: Left = {"__name__": "__main__"}
    files: set[str] = set()
    for block in blocks:
        if block.language == "sh":
            for words in commands_of(block.text):
                run_command(words, folder)
                files -= set(words)
        elif block.file is not None:
            (folder / block.file).write_text(block.text, encoding="utf-8")
            files.add(block.file)
        else:
            assert block.language == "python"
            importlib.invalidate_caches()
            code = "\n" * (block.line - 1) + block.text
            exec(compile(code, str(PAGE), "exec"), left)
    assert files == set(), "programs that nobody runs"
    return left


def commands_of(text: str) -> list[list[str]]:
    return [shlex.split(line, comments=True) for line in text.replace("\\\n", " ").splitlines() if line.strip()]


def run_command(words: Sequence[str], folder: Path) -> None:
    """NAME=value … program arguments."""
    settings = dict(word.split("=", 1) for word in itertools.takewhile(lambda word: "=" in word, words))
    program, *arguments = words[len(settings) :]
    env = {**environment(), "TF_USE_LEGACY_KERAS": "0", **settings}
    command = [*PROGRAMS[program], *arguments]
    ran = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, f"{shlex.join(words)}\n{ran.stdout[-2000:]}\n{ran.stderr[-4000:]}"


class Folder:
    """A working directory that modules are imported from, and forgotten afterwards; `keras` is the Keras to be used."""

    def __init__(self, folder: Path, keras_name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        pytest.importorskip("tensorflow")
        using(monkeypatch, keras_name)
        self.path = folder
        self.keras: Any = importlib.import_module(keras_name)
        monkeypatch.setitem(sys.modules, "keras", self.keras)
        monkeypatch.chdir(folder)
        monkeypatch.syspath_prepend(folder)

    def run(self, title: str, **others: str) -> Left:
        """`others` are what stands in the place of some of the words of a recipe."""
        blocks = SECTIONS[title]
        for old, new in others.items():
            assert any(old in block.text for block in blocks)
            blocks = [replace(block, text=re.sub(rf"\b{old}\b", new, block.text)) for block in blocks]
        try:
            return run_section(blocks, self.path)
        finally:
            for name, module in list(sys.modules.items()):
                if self.path in Path(getattr(module, "__file__", None) or "/").parents:
                    del sys.modules[name]
