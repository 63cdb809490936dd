"""The exceptions that caffeconv raises, and nothing else raises.

    CaffeconvError              anything that stops a conversion
    ├── ParseError              a file is not what it was given as, or is damaged
    ├── MismatchError           prototxt, weights and options contradict each other
    ├── UnsupportedError        well formed, but cannot be expressed in what was asked for
    └── WriteError              the output cannot be written

The text of each is one line, meant for the user.
"""

from __future__ import annotations

__all__ = ["CaffeconvError", "MismatchError", "ParseError", "UnsupportedError", "WriteError"]


class CaffeconvError(Exception):
    """Base of every error that caffeconv raises on purpose.

    `warnings` is what was found before, which may be the reason: a line each.
    """

    warnings: tuple[str, ...] = ()


class ParseError(CaffeconvError):
    """A file is not of the kind it was given as, is damaged, or breaks the syntax of its format."""


class MismatchError(CaffeconvError):
    """A prototxt, a caffemodel and the options given with them do not belong together."""


class UnsupportedError(CaffeconvError):
    """A well-formed input asks for something that the requested output cannot hold."""


class WriteError(CaffeconvError):
    """An output file cannot be written; nothing of it was left behind."""
