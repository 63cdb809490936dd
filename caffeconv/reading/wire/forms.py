"""What of a stored layer is handed to the bindings.

All known forks agree on fields 1-10 of LayerParameter; above them their numbers clash, down to one fork's string where
another has a message, which makes plain protobuf refuse the whole file. So of the others only those go through
that the layer's own type reads. V1LayerParameter and V0LayerParameter were never renumbered; all of Caffe's fields go.
Numbers from 10000 up are this project's own and never come from a file.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Final, cast

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from caffe_proto import FIRST_PRIVATE_NUMBER
from caffe_proto.caffe_pb2 import LayerParameter, NetParameter, V0LayerParameter, V1LayerParameter
from caffeconv.catalogue import LAYER_TYPES
from caffeconv.reading.wire.format import LENGTH, as_utf8, encode_varint, walk_fields

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from google.protobuf.message import Message

__all__ = [
    "CAFFE_V1_NUMBERS", "NET_FIELDS", "TYPE_WORD_NUMBER", "V0", "V1", "V2", "LayerForm",
    "descriptor_of", "encode_field", "recode", "strings_of",
]  # fmt: skip


@dataclasses.dataclass(frozen=True)
class LayerForm:
    """One generation's layer message: where things are, and which fields go through."""

    descriptor: Descriptor
    name: int
    type: int
    blobs: int
    always: frozenset[int]
    own: Mapping[str, frozenset[int]]

    @functools.cached_property
    def any_own(self) -> frozenset[int]:
        """Fields that go through for one type or another."""
        return frozenset().union(*self.own.values())


def descriptor_of(message_type: type[Message]) -> Descriptor:
    """The description of a message; the bindings' stubs give it a union of types."""
    return cast("Descriptor", message_type.DESCRIPTOR)


def _numbers(descriptor: Descriptor, names: Iterable[str]) -> frozenset[int]:
    return frozenset(descriptor.fields_by_name[name].number for name in names)


def _caffes(descriptor: Descriptor, *without: str) -> frozenset[int]:
    names = (field.name for field in descriptor.fields if field.number < FIRST_PRIVATE_NUMBER)
    return _numbers(descriptor, set(names).difference(without))


V2: Final = LayerForm(
    descriptor_of(LayerParameter),
    name=1,
    type=2,
    blobs=7,
    always=frozenset(range(1, 11)) - {7},
    own={
        each.name: _numbers(descriptor_of(LayerParameter), each.parameters.split())
        for each in LAYER_TYPES.values()
        if each.parameters
    },
)
V1: Final = LayerForm(
    descriptor_of(V1LayerParameter),
    name=4,
    type=5,
    blobs=6,
    always=_caffes(descriptor_of(V1LayerParameter), "blobs", "layer"),
    own={},
)
V0: Final = LayerForm(
    descriptor_of(V0LayerParameter),
    name=1,
    type=2,
    blobs=50,
    always=_caffes(descriptor_of(V0LayerParameter), "blobs"),
    own={},
)
NET_FIELDS: Final = _caffes(descriptor_of(NetParameter), "layer", "layers")
CAFFE_V1_NUMBERS: Final = frozenset(
    value.number for value in V1LayerParameter.LayerType.DESCRIPTOR.values if value.number < FIRST_PRIVATE_NUMBER
)
TYPE_WORD_NUMBER: Final = V1LayerParameter.DESCRIPTOR.fields_by_name["type_word"].number
"""Own field of V1LayerParameter for a type that Caffe 1.0 does not have."""


def encode_field(number: int, payload: bytes) -> bytes:
    """A LENGTH field."""
    return encode_varint(number << 3 | LENGTH) + encode_varint(len(payload)) + payload


@functools.cache
def strings_of(descriptor: Descriptor) -> Mapping[int, Descriptor | None]:
    """Field numbers of a message that hold a string (`None`) or a message with strings in it (its descriptor)."""
    table: dict[int, Descriptor | None] = {}
    for field in descriptor.fields:
        if field.type == FieldDescriptor.TYPE_STRING:
            table[field.number] = None
        elif field.message_type is not None and strings_of(field.message_type):
            table[field.number] = field.message_type
    return table


def recode(message: bytes, descriptor: Descriptor) -> bytes:
    """A message with every string in it made UTF-8, which the bindings insist on. Raises: Damage."""
    if message.isascii():
        return message
    table = strings_of(descriptor)
    parts: list[bytes] = []
    for tag, begin, start, end, _ in walk_fields(message, 0, len(message)):
        number = tag >> 3
        if tag & 7 != LENGTH or number not in table:
            parts.append(message[begin:end])
            continue
        nested = table[number]
        payload = message[start:end]
        parts.append(encode_field(number, as_utf8(payload) if nested is None else recode(payload, nested)))
    return b"".join(parts)
