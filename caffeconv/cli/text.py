"""Text of untrusted files on its way to a terminal."""

from __future__ import annotations

__all__ = ["one_line", "printable"]

_LONGEST = 2000


def printable(text: str) -> str:
    """`text` with an escape for each character that would do something to a terminal."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def one_line(text: str) -> str:
    """`text` as a line that can be read: printable, and without the middle of names that go on for pages."""
    text = printable(text)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2]} … {text[-_LONGEST // 2 :]}"
