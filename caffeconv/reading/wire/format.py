"""Protobuf's wire format, as far as reading Caffe's files needs it: a walk over the fields of one message.

A message is a run of fields, each `tag` (varint: number << 3 | wire type) followed by

    wire type 0   VARINT    7 bits a byte, least significant first, at most 10 bytes
    wire type 1   FIXED64   8 bytes
    wire type 2   LENGTH    a varint, then that many bytes: strings, messages, packed arrays
    wire type 5   FIXED32   4 bytes

Groups (3 and 4) occur in no Caffe schema and are refused. Source: protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

__all__ = [
    "FIXED32", "FIXED64", "LENGTH", "VARINT", "Buffer", "Cut", "Damage", "WireField",
    "as_utf8", "encode_varint", "read_varint", "walk_fields",
]  # fmt: skip

Buffer: TypeAlias = mmap.mmap | bytes
WireField: TypeAlias = tuple[int, int, int, int, int]
"""`(tag, begin, start, end, value)`: the field is `buffer[begin:end]`, what follows its tag and length is
`buffer[start:end]`; `value` is the number of a VARINT and the stored length of a LENGTH field, else 0."""

VARINT: Final = 0
FIXED64: Final = 1
LENGTH: Final = 2
FIXED32: Final = 5

_FIXED_SIZES: Final = {FIXED64: 8, FIXED32: 4}
_LONGEST_VARINT: Final = 10
_UINT64: Final = (1 << 64) - 1
_LARGEST_TAG: Final = (1 << 32) - 1
_LARGEST_BLOCK: Final = 1 << 20


class Damage(Exception):  # noqa: N818 - a finding, which becomes a ParseError
    """The bytes break the wire format; who reads the file knows the place and turns this into a `ParseError`."""


class Cut(Damage):
    """The message ends in the middle of a field."""


def walk_fields(buffer: Buffer, position: int, limit: int) -> Iterator[WireField]:
    """Yield the fields of the message `buffer[position:limit]` without touching their contents.

    Equal FIXED32 or FIXED64 fields in a row (an array that was not packed) come as one field that spans them all.
    A LENGTH field that is cut short is yielded as far as it goes, so that the reader of its contents can say what
    exactly is missing; after that comes the error.

    Raises: Damage.
    """
    while position < limit:
        begin = position
        tag = buffer[position]
        position += 1
        if tag >= 0x80:
            tag, position = read_varint(buffer, begin, limit)
        wire = tag & 7
        if tag < 8 or tag > _LARGEST_TAG:
            raise Damage(f"byte {begin} is not the start of a field")
        if wire == LENGTH:
            if position < limit and (length := buffer[position]) < 0x80:
                position += 1
            else:
                length, position = read_varint(buffer, position, limit)
            end = position + length
            if end > limit:
                yield tag, begin, position, limit, length
                raise _cut(buffer, position, limit, length)
            yield tag, begin, position, end, length
        elif wire == VARINT:
            value, end = read_varint(buffer, position, limit)
            yield tag, begin, position, end, value
        elif wire in _FIXED_SIZES:
            end = position + _FIXED_SIZES[wire]
            if end > limit:
                raise _cut(buffer, position, limit, _FIXED_SIZES[wire])
            if end < limit and position - begin == 1 and buffer[end] == tag:
                end = _end_of_run(buffer, begin, end - begin, limit)
            yield tag, begin, position, end, 0
        else:
            raise Damage(f"byte {begin} has wire type {wire}, which no Caffe file uses")
        position = end


def read_varint(buffer: Buffer, position: int, limit: int) -> tuple[int, int]:
    """The unsigned number at `position`, at most 64 bits, and the position after it. Raises: Damage."""
    start = position
    value = shift = 0
    while position < limit:
        byte = buffer[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & _UINT64, position
        shift += 7
        if position - start == _LONGEST_VARINT:
            raise Damage(f"byte {start} starts a number of more than {_LONGEST_VARINT} bytes")
    raise _cut(buffer, start, limit, limit - start + 1)


def encode_varint(value: int) -> bytes:
    """The bytes of a number that is not negative."""
    octets = bytearray()
    while value >= 0x80:
        octets.append(value & 0x7F | 0x80)
        value >>= 7
    octets.append(value)
    return bytes(octets)


def as_utf8(text: bytes) -> bytes:
    """Text in UTF-8; what is not UTF-8 is taken for Latin-1, as in prototxt files, so that names stay equal."""
    try:
        text.decode()
    except UnicodeDecodeError:
        return text.decode("latin-1").encode()
    return text


def _end_of_run(buffer: Buffer, begin: int, stride: int, limit: int) -> int:
    """Where a run of fields of `stride` bytes with the one-byte tag at `begin` ends. Blocks grow, so cost is linear."""
    count = (limit - begin) // stride
    tags: npt.NDArray[np.uint8] = np.ndarray((count,), np.uint8, buffer, begin, (stride,))
    known, block = 1, 16
    while known < count:
        equal = tags[known : known + block] == tags[0]
        if not equal.all():
            return begin + (known + int(equal.argmin())) * stride
        known += len(equal)
        block = min(2 * block, _LARGEST_BLOCK)
    return begin + count * stride


def _cut(buffer: Buffer, position: int, limit: int, expected: int) -> Cut:
    what = "EOF" if limit == len(buffer) else "end of the message"
    return Cut(f"{what} at byte {position}, expected {expected} bytes, got {max(limit - position, 0)}")
