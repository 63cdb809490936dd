"""How the values of scalar fields are written, which of them a field takes, and their bytes in the wire format."""

from __future__ import annotations

import math
import re
import struct
from typing import TYPE_CHECKING

from google.protobuf.descriptor import FieldDescriptor

from caffeconv.reading.prototxt.tokens import kind_of, quote
from caffeconv.reading.wire.format import encode_varint

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["WrongValue", "encode_bytes", "encode_integer", "encode_number", "unescape"]

_INTEGER = re.compile(r"-?(?:0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)")
_FLOAT = re.compile(
    r"-?(?:(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?f?"
    r"|[iI][nN][fF](?:[iI][nN][iI][tT][yY])?|[nN][aA][nN])"
)
_BOOLS = {
    **dict.fromkeys(("true", "True", "t", "1"), b"\x01"),
    **dict.fromkeys(("false", "False", "f", "0"), b"\x00"),
}
_ESCAPE = re.compile(r"\\(?:([abfnrtv\\'\"])|([0-3][0-7]{2}|[0-7]{1,2}(?![0-7]))|x([0-9a-fA-F]{1,2})|(.))")
_ESCAPED = {**dict(zip("abfnrtv", "\a\b\f\n\r\t\v", strict=True)), **{mark: mark for mark in "\\'\""}}

_RANGES = {
    FieldDescriptor.CPPTYPE_ENUM: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}
_LONGEST_INTEGER = 24
_UINT64 = 2**64 - 1
_LENGTHS = tuple(encode_varint(length) for length in range(512))


class WrongValue(Exception):  # noqa: N818 - a finding, which becomes a ParseError
    """Why a value cannot be that of its field; who reads the text knows the place and raises a `ParseError`."""


def encode_number(text: str, cpp_type: int) -> bytes:
    """The bytes of a number or boolean, without a tag. Raises: WrongValue."""
    encode = _ENCODERS.get(cpp_type)
    if encode is not None:
        return encode(text)
    lowest, highest = _RANGES[cpp_type]
    if not _INTEGER.fullmatch(text):
        raise WrongValue(f"expected an integer, got {quote(text)}")
    if len(text) > _LONGEST_INTEGER or not lowest <= (value := _integer(text)) <= highest:
        raise WrongValue(f"{quote(text)} is out of range, expected {lowest} to {highest}")
    return encode_integer(value)


def encode_integer(value: int) -> bytes:
    """A varint; numbers below 0 take ten bytes."""
    return encode_varint(value & _UINT64)


def encode_bytes(text: bytes) -> bytes:
    """The length and the text."""
    return (_LENGTHS[len(text)] if len(text) < len(_LENGTHS) else encode_varint(len(text))) + text


def _integer(text: str) -> int:
    """The value of a decimal, octal (`017`) or hexadecimal (`0x1f`) integer."""
    digits = text.lstrip("-")
    base = 16 if digits[:2] in ("0x", "0X") else 8 if digits.startswith("0") else 10
    return -int(digits, base) if text.startswith("-") else int(digits, base)


def _encode_bool(text: str) -> bytes:
    if text not in _BOOLS:
        raise WrongValue(f"expected true or false, got {quote(text)}")
    return _BOOLS[text]


def _encode_double(text: str) -> bytes:
    return struct.pack("<d", _floating(text))


def _encode_float(text: str) -> bytes:
    value = _floating(text)
    try:
        return struct.pack("<f", value)
    except OverflowError:
        return struct.pack("<f", math.copysign(math.inf, value))


def _floating(text: str) -> float:
    if not _FLOAT.fullmatch(text):
        raise WrongValue(f"expected a number, got {quote(text)}")
    return float(text[:-1] if text[-1] == "f" and text[-2] not in "nN" else text)


_ENCODERS: dict[int, Callable[[str], bytes]] = {
    FieldDescriptor.CPPTYPE_BOOL: _encode_bool,
    FieldDescriptor.CPPTYPE_DOUBLE: _encode_double,
    FieldDescriptor.CPPTYPE_FLOAT: _encode_float,
}


def unescape(text: str) -> bytes:
    """The bytes that a string in quotes stands for; escapes may make them anything but UTF-8. Raises: WrongValue."""
    if kind_of(text) != "string":
        raise WrongValue(f"expected a string in quotes, got {quote(text)}")
    inner = text[1:-1]
    if "\\" not in inner:
        return inner.encode()
    parts: list[bytes] = []
    position = 0
    for escape in _ESCAPE.finditer(inner):
        plain, octal, hexadecimal, wrong = escape.groups()
        if wrong is not None:
            problem = f"escape {quote(escape.group())} in a string is not known, a backslash is written \\\\"
            raise WrongValue(problem)
        parts.append(inner[position : escape.start()].encode())
        parts.append(_ESCAPED[plain].encode() if plain else bytes([int(octal, 8) if octal else int(hexadecimal, 16)]))
        position = escape.end()
    return b"".join((*parts, inner[position:].encode()))
