"""Writes protobuf fields by hand, byte for byte as the encoding guide says; shares no code with what it tests."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def varint(value: int) -> bytes:
    """Seven bits a byte, lowest first; a negative number as its 64-bit two's complement."""
    value %= 1 << 64
    septets = [value >> shift & 0x7F for shift in range(0, max(value.bit_length(), 1), 7)]
    return bytes([septet | 0x80 for septet in septets[:-1]] + septets[-1:])


def number(field: int, value: int) -> bytes:
    return varint(field * 8) + varint(value)


def chunk(field: int, content: bytes | str) -> bytes:
    """A string, a message or a packed array."""
    content = content.encode() if isinstance(content, str) else content
    return varint(field * 8 + 2) + varint(len(content)) + content


def packed_floats(field: int, values: Iterable[float]) -> bytes:
    return chunk(field, b"".join(struct.pack("<f", value) for value in values))


def packed_doubles(field: int, values: Iterable[float]) -> bytes:
    return chunk(field, b"".join(struct.pack("<d", value) for value in values))


def loose_floats(field: int, values: Iterable[float]) -> bytes:
    return b"".join(varint(field * 8 + 5) + struct.pack("<f", value) for value in values)


def loose_doubles(field: int, values: Iterable[float]) -> bytes:
    return b"".join(varint(field * 8 + 1) + struct.pack("<d", value) for value in values)


def shape(*dims: int) -> bytes:
    """BlobProto.shape."""
    return chunk(7, chunk(1, b"".join(varint(dim) for dim in dims)))


def blob(*dims: int) -> bytes:
    """BlobProto with the values 0, 1, 2, ... under `dims`."""
    size = 1
    for dim in dims:
        size *= dim
    return shape(*dims) + packed_floats(5, range(size))


def layer(name: str, layer_type: str, *blobs: bytes, extra: bytes = b"") -> bytes:
    """NetParameter.layer (today's form)."""
    stored = b"".join(chunk(7, each) for each in blobs)
    return chunk(100, chunk(1, name) + chunk(2, layer_type) + stored + extra)


def v1_layer(name: str, type_number: int, *blobs: bytes, extra: bytes = b"") -> bytes:
    """NetParameter.layers (2014)."""
    stored = b"".join(chunk(6, each) for each in blobs)
    return chunk(2, chunk(4, name) + number(5, type_number) + stored + extra)


def v0_layer(name: str, layer_type: str, *blobs: bytes, bottom: str, top: str) -> bytes:
    """NetParameter.layers with the flat layer of 2013 in it."""
    stored = b"".join(chunk(50, each) for each in blobs)
    flat = chunk(1, name) + chunk(2, layer_type) + stored
    return chunk(2, chunk(1, flat) + chunk(2, bottom) + chunk(3, top))
