"""Statements of a model in Python, laid out as ruff would at 88 columns, and values as Python writes them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

__all__ = ["exploded", "literal", "statement"]

_WIDTH = 88


def statement(start: str, words: Sequence[str], value: str | Sequence[str] | None) -> Iterator[str]:
    """A layer made of `words` and called with `value`, on one line if it fits, else with a line for each argument.

    Without words it is called as it is, without a value it is made and not called.
    """
    behind = "" if value is None else f"({value})" if isinstance(value, str) else f"([{', '.join(value)}])"
    called = f"({', '.join(words)})" if words else ""
    line = f"    {start}{called}{behind}"
    if len(line) <= _WIDTH:
        yield line
        return
    if not called:
        yield from exploded(f"    {start}([", value or (), "])")
        return
    yield f"    {start}("
    for word in words:
        yield from _argument(word)
    if value is None or isinstance(value, str) or len(behind) < _WIDTH - 5:
        yield f"    ){behind}"
        return
    yield "    )("
    yield from exploded("        [", value, "]", deeper=4)
    yield "    )"


def _argument(word: str) -> Iterator[str]:
    if len(word) + 9 <= _WIDTH:
        yield f"        {word},"
        return
    key, _, text = word.partition("=")
    if text[:1] in "([{" and text[-1:] in ")]}":
        yield f"        {key}={text[0]}"
        yield from (f"            {part}," for part in _parts(text[1:-1]))
        yield f"        {text[-1]},"
    else:
        yield f"        {word},"


def _parts(text: str) -> list[str]:
    """What stands between the commas of the outermost level."""
    parts, depth, start = [], 0, 0
    for place, char in enumerate(text):
        depth += char in "([{"
        depth -= char in ")]}"
        if char == "," and depth == 0:
            parts.append(text[start:place].strip())
            start = place + 1
    return [*parts, text[start:].strip()] if text[start:].strip() else parts


def exploded(start: str, words: Sequence[str], end: str, deeper: int = 0) -> Iterator[str]:
    """A list on one line if it fits, else with a line for each item."""
    line = f"{start}{', '.join(words)}{end}"
    if len(line) <= _WIDTH:
        yield line
        return
    yield start
    yield from (f"{' ' * (8 + deeper)}{word}," for word in words)
    yield f"{' ' * (4 + deeper)}{end}"


def literal(value: Any) -> str:
    """A value as Python writes it, in ASCII, with the quotes that ruff would choose."""
    if isinstance(value, str):
        inside = value.encode("unicode_escape", "surrogatepass").decode("ascii")
        inside = inside.replace('"', '\\"') if "'" in value or '"' not in value else inside
        return f"'{inside}'" if '"' in value and "'" not in value else f'"{inside}"'
    if isinstance(value, tuple | list):
        items = ", ".join(map(literal, value))
        return f"({items},)" if len(value) == 1 else f"({items})"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{literal(key)}: {literal(each)}' for key, each in value.items())}}}"
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return f'float("{value}")'
    return repr(value)
