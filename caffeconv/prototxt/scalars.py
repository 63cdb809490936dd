"""How the values of scalar fields are written, and which of them a field takes."""

from __future__ import annotations

import re

from google.protobuf.descriptor import FieldDescriptor

from caffeconv.prototxt.tokens import Token, quote

__all__ = ["integer", "problem_with"]

_INTEGER = re.compile(r"-?(?:0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)")
_FLOAT = re.compile(
    r"-?(?:(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?f?"
    r"|[iI][nN][fF](?:[iI][nN][iI][tT][yY])?|[nN][aA][nN])"
)
_BOOL = re.compile(r"true|false|True|False|t|f|0|1")
_WRONG_ESCAPE = re.compile(r"\\(?:[abfnrtv\\'\"]|[0-3][0-7]{2}|[0-7]{1,2}(?![0-7])|x[0-9a-fA-F]{1,2})|(\\.)")

_RANGES = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}
_LONGEST_INTEGER = 24


def problem_with(value: Token, cpp_type: int) -> str | None:
    """Why `value` cannot be the value of a scalar field of `cpp_type` (no enum), or `None` if it can."""
    if cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return _problem_with_string(value)
    if cpp_type in (FieldDescriptor.CPPTYPE_FLOAT, FieldDescriptor.CPPTYPE_DOUBLE):
        return None if _FLOAT.fullmatch(value.text) else f"expected a number, got {quote(value.text)}"
    if cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return None if _BOOL.fullmatch(value.text) else f"expected true or false, got {quote(value.text)}"
    return _problem_with_integer(value, *_RANGES[cpp_type])


def _problem_with_string(value: Token) -> str | None:
    if value.kind != "string":
        return f"expected a string in quotes, got {quote(value.text)}"
    wrong = next((match for match in _WRONG_ESCAPE.finditer(value.text) if match.group(1)), None)
    return (
        None
        if wrong is None
        else f"escape {quote(wrong.group())} in a string is not known, a backslash is written \\\\"
    )


def _problem_with_integer(value: Token, lowest: int, highest: int) -> str | None:
    text = value.text
    if not _INTEGER.fullmatch(text):
        return f"expected an integer, got {quote(text)}"
    if len(text) <= _LONGEST_INTEGER and lowest <= integer(text) <= highest:
        return None
    return f"{quote(text)} is out of range, expected {lowest} to {highest}"


def integer(text: str) -> int:
    """The value of a decimal, octal (`017`) or hexadecimal (`0x1f`) integer."""
    digits = text.lstrip("-")
    base = 16 if digits[:2] in ("0x", "0X") else 8 if digits.startswith("0") else 10
    return -int(digits, base) if text.startswith("-") else int(digits, base)
