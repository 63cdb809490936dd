"""The file of `--rename`: a JSON object {"old": "new"}, or a line `old=new` for each layer."""

from __future__ import annotations

import json
from pathlib import Path

from caffeconv.errors import ParseError

__all__ = ["read_renames"]


def read_renames(path: str) -> dict[str, str]:
    """Old layer name -> new one. Blank lines and lines that begin with # do not count.

    Raises:
        ParseError: the file cannot be read, or is of neither form, with the line.
    """
    try:
        if not Path(path).is_file() and Path(path).exists():  # to open a pipe would wait for ever
            raise ParseError(f"{path} is not a regular file")
        text = Path(path).read_text("utf-8-sig")
    except OSError as error:
        raise ParseError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise ParseError(f"{path} is not a text in UTF-8") from None
    return _from_json(path, text) if text.lstrip().startswith("{") else _from_lines(path, text)


def _from_json(path: str, text: str) -> dict[str, str]:
    try:
        names = json.loads(text, object_pairs_hook=lambda pairs: _unique(path, pairs))
    except json.JSONDecodeError as error:
        raise ParseError(f"{path}:{error.lineno}:{error.colno}: {error.msg}") from None
    except ValueError as error:  # a number of more digits than Python reads
        raise ParseError(f"{path}: {error}") from None
    except RecursionError:
        raise ParseError(f"{path}: nested too deeply for an object of names") from None
    if not all(isinstance(new, str) for new in names.values()):
        raise ParseError(f'{path}: expected an object of names only, like {{"conv1/7x7": "conv1"}}')
    return dict(names)


def _unique(path: str, pairs: list[tuple[str, object]]) -> dict[str, object]:
    names = dict(pairs)
    if len(names) < len(pairs):
        twice = next(old for old, _ in pairs if sum(old == other for other, _ in pairs) > 1)
        raise ParseError(f'{path}: a second new name for "{twice}"')
    return names


def _from_lines(path: str, text: str) -> dict[str, str]:
    names: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        old, equals, new = line.strip().partition("=")
        if not equals or not old or not new:
            raise ParseError(f"{path}:{number}: expected old=new, got {line.strip()[:80]!r}")
        if old in names:
            raise ParseError(f'{path}:{number}: a second new name for "{old}"')
        names[old] = new
    return names
