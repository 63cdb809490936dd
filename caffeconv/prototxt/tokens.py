"""From the bytes of a prototxt to its tokens, each with its place in the text.

The tokens are those of protobuf's text format as Caffe reads it: names, numbers, strings in either quote on one line,
punctuation, and `#` comments to the end of the line. Any white space of Unicode separates them.
"""

from __future__ import annotations

import bisect
import codecs
import dataclasses
import re
from typing import NamedTuple

from caffeconv.errors import ParseError

__all__ = ["Source", "Token", "decode", "quote", "tokenize"]

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

_TOKEN = re.compile(
    r"""
      (?P<skip> \s+ | \#[^\n]* )
    | (?P<name> [A-Za-z_][A-Za-z0-9_]* )
    | (?P<number> [-+]?\.?[0-9][A-Za-z0-9_.+-]* | -[A-Za-z]+ )
    | (?P<string> "[^"\\\n]*(?:\\.[^"\\\n]*)*" | '[^'\\\n]*(?:\\.[^'\\\n]*)*' )
    | (?P<mark> [{}<>\[\]:;,./] )
    | (?P<wrong> . )
    """,
    re.VERBOSE,
)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1b\x7f]")
_PLACEHOLDER = re.compile(
    r"\{\{[^\n]*?\}\}|\{%[^\n]*?%\}|\$\{[^}\n]*\}|\$\w+|%\(\w+\)\w|@\w+@|__\w+__|<%[^\n]*?%>|<\w+>"
)


class Token(NamedTuple):
    """A stretch `text` of the source from `start`; `kind` is name, number, string, mark, wrong or end."""

    kind: str
    text: str
    start: int

    @property
    def end(self) -> int:
        return self.start + len(self.text)


@dataclasses.dataclass(frozen=True, eq=False)
class Source:
    """A text, the name of its file, and where its lines begin."""

    filename: str
    text: str
    line_starts: tuple[int, ...] = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        starts = (0, *(match.end() for match in re.finditer("\n", self.text)))
        object.__setattr__(self, "line_starts", starts)

    def line(self, position: int) -> int:
        """The number of the line that holds `position`, from 1."""
        return bisect.bisect_right(self.line_starts, position)

    def error(self, position: int, problem: str) -> ParseError:
        """The error `file:line:column: problem`, or that a template's placeholder stands there."""
        line = self.line(position)
        placeholder = _PLACEHOLDER.match(self.text, position)
        if placeholder is not None:
            problem = f"the placeholder {quote(placeholder.group())} of a template is not filled in"
        return ParseError(f"{self.filename}:{line}:{position - self.line_starts[line - 1] + 1}: {problem}")


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


def tokenize(source: Source) -> list[Token]:
    """All tokens of a text, with one of kind end behind them; what is no token of the format is of kind wrong."""
    tokens = [
        Token(str(match.lastgroup), match.group(), match.start())
        for match in _TOKEN.finditer(source.text)
        if match.lastgroup != "skip"
    ]
    return [*tokens, Token("end", "", len(source.text))]
