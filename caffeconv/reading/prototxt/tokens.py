"""From the bytes of a prototxt to its tokens, each with its place in the text.

The tokens are those of protobuf's text format as Caffe reads it: names, numbers, strings in either quote on one line,
punctuation, and `#` comments to the end of the line. Any white space of Unicode separates them.
"""

from __future__ import annotations

import bisect
import codecs
import dataclasses
import functools
import re
import string

from caffeconv.errors import ParseError

__all__ = ["SourceText", "decode", "kind_of", "quote"]

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

_TOKEN = re.compile(
    r"""
    \s* (?: \#[^\n]* \s* )*
    ( [A-Za-z_][A-Za-z0-9_]*
    | "[^"\\\n]*(?:\\.[^"\\\n]*)*" | '[^'\\\n]*(?:\\.[^'\\\n]*)*'
    | [-+]?\.?[0-9][A-Za-z0-9_.+-]* | -[A-Za-z]+
    | \\["']
    | [^\s#]
    | \Z
    )
    """,
    re.VERBOSE,
)
"""What is skipped and a token: a name, a string, a number, any other character, or the end.

A quote behind a backslash starts no string; else, each of many such would be looked at as one to the end of its line.
"""
_MARKS = frozenset("{}<>[]:;,./")
_LETTERS = frozenset(string.ascii_letters + "_")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1b\x7f]")
_PLACEHOLDER = re.compile(
    r"\{\{[^\n]*?\}\}|\{%[^\n]*?%\}|\$\{[^}\n]*\}|\$\w+|%\(\w+\)\w|@\w+@|__\w+__|<%[^\n]*?%>|<\w+>"
)


@dataclasses.dataclass(frozen=True, eq=False)
class SourceText:
    """A text, the name of its file, and its tokens, with an empty one behind them for the end; they go by number."""

    filename: str
    text: str
    tokens: list[str] = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "tokens", _TOKEN.findall(self.text))

    @functools.cached_property
    def _starts(self) -> list[int]:
        """Where each token begins; only a text of which something is to be told needs it."""
        return [match.start(1) for match in _TOKEN.finditer(self.text)]

    @functools.cached_property
    def _line_starts(self) -> list[int]:
        return [0, *(match.end() for match in re.finditer("\n", self.text))]

    def line(self, at: int) -> int:
        """The number of the line that holds token `at`, from 1."""
        return bisect.bisect_right(self._line_starts, self._starts[at])

    def shown(self, at: int) -> str:
        """Token `at` as a message calls it."""
        token = self.tokens[at]
        if not token:
            return "the end of the file"
        return "a string that is not closed on its line" if token in ('"', "'") else quote(token)

    def error(self, at: int, problem: str) -> ParseError:
        """The error `file:line:column: problem` for token `at`, or that a template's placeholder stands there."""
        position, line = self._starts[at], self.line(at)
        if self.text.startswith(("//", "/*"), position):
            problem += ": begin a comment with #, and not as in C++"
        placeholder = _PLACEHOLDER.match(self.text, position)
        if placeholder is not None:
            problem = f"the placeholder {quote(placeholder.group())} of a template is not filled in"
        return ParseError(f"{self.filename}:{line}:{position - self._line_starts[line - 1] + 1}: {problem}")


def quote(text: str, longest: int = 40) -> str:
    """`text` as it may stand in a message: on one line, printable, not too long."""
    shown = text if len(text) <= longest else text[:longest] + "..."
    return "".join(character if character.isprintable() else "?" for character in shown)


def decode(data: bytes, filename: str) -> str:
    """The text of a file: UTF-8, UTF-16 where a byte order mark says so, and Latin-1 where it is not UTF-8.

    Raises:
        ParseError: the bytes are no text.
    """
    mark, encoding = next((row for row in _BYTE_ORDER_MARKS if data.startswith(row[0])), (b"", "utf-8"))
    try:
        text = data[len(mark) :].decode(encoding)
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    if _CONTROL.search(text):
        raise ParseError(f"{filename}: this is binary data, expected the text of a net (a prototxt)")
    return text


def kind_of(token: str) -> str:
    """What a token is: name, number, string, mark, end, or wrong for what is no token of the format."""
    first = token[:1]
    if first in _LETTERS:
        return "name"
    if len(token) > 1:
        return "string" if first in "\"'" else "number" if first != "\\" else "wrong"
    return "end" if not token else "mark" if first in _MARKS else "number" if first in string.digits else "wrong"
