"""What reading a text needs to know of the schema's fields."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, Literal, TypeAlias

from google.protobuf.descriptor import FieldDescriptor

from caffe_proto import FIRST_PRIVATE_NUMBER, caffe_pb2
from caffeconv.reading.prototxt.scalars import encode_integer
from caffeconv.reading.wire.format import FIXED32, FIXED64, LENGTH, VARINT, encode_varint

__all__ = ["TYPE_WORD", "Field", "fields_of"]

Role: TypeAlias = Literal["", "name of a layer", "type", "V1 type"]

_PRIVATE_FIELDS = frozenset({"payload", "type_word"})
_WIRE_TYPES = {
    FieldDescriptor.CPPTYPE_BOOL: VARINT,
    FieldDescriptor.CPPTYPE_DOUBLE: FIXED64,
    FieldDescriptor.CPPTYPE_ENUM: VARINT,
    FieldDescriptor.CPPTYPE_FLOAT: FIXED32,
    FieldDescriptor.CPPTYPE_INT32: VARINT,
    FieldDescriptor.CPPTYPE_INT64: VARINT,
    FieldDescriptor.CPPTYPE_MESSAGE: LENGTH,
    FieldDescriptor.CPPTYPE_STRING: LENGTH,
    FieldDescriptor.CPPTYPE_UINT32: VARINT,
    FieldDescriptor.CPPTYPE_UINT64: VARINT,
}
_ROLES: dict[tuple[str, str], Role] = {
    (caffe_pb2.LayerParameter.DESCRIPTOR.full_name, "name"): "name of a layer",
    (caffe_pb2.LayerParameter.DESCRIPTOR.full_name, "type"): "type",
    (caffe_pb2.V1LayerParameter.DESCRIPTOR.full_name, "name"): "name of a layer",
    (caffe_pb2.V1LayerParameter.DESCRIPTOR.full_name, "type"): "V1 type",
    (caffe_pb2.V0LayerParameter.DESCRIPTOR.full_name, "name"): "name of a layer",
}


_IDLE = {
    "DataParameter": ("source", "backend", "prefetch", "rand_skip"),
    "ImageDataParameter": ("source", "root_folder", "shuffle", "rand_skip"),
    "ParamSpec": ("lr_mult", "decay_mult"),
    "TransformationParameter": (
        "mirror", "mean_file", "resize_param", "distort_param", "expand_param", "emit_constraint",
    ),
}  # fmt: skip
"""Fields of training, by message, on which neither weights nor their order depend; so are all that concern fillers."""
_AXES = {
    "kernel_size": ("kernel_h", "kernel_w"),
    "stride": ("stride_h", "stride_w"),
    "pad": ("pad_h", "pad_w"),
}
"""Fields for which forks take a value an axis, and what Caffe has for that where it takes one."""


@dataclasses.dataclass(frozen=True, eq=False)
class Field:
    """What the walk needs of a field's descriptor; reading descriptors again and again is slow.

    `tag` is what stands before each value in protobuf's wire format. `words` and `numbers` are those of an enum, as
    bytes of that format. `idle`: nothing depends on it where the weights are given. `axes` are the fields that have
    its value for each axis, if there are any.
    """

    name: str
    tag: bytes
    repeated: bool
    cpp_type: int
    message: str | None
    words: dict[str, bytes]
    numbers: frozenset[bytes]
    role: Role
    idle: bool
    axes: tuple[str, ...]


@functools.cache
def fields_of(message: str) -> dict[str, Field]:
    """The fields of the message of that full name that a text may set, by name."""
    descriptor = caffe_pb2.DESCRIPTOR.pool.FindMessageTypeByName(message)
    return {field.name: _field_of(field) for field in descriptor.fields if field.name not in _PRIVATE_FIELDS}


def _field_of(field: Any) -> Field:
    values = field.enum_type.values if field.enum_type is not None else ()
    return Field(
        name=field.name,
        tag=encode_varint(field.number << 3 | _WIRE_TYPES[field.cpp_type]),
        repeated=isinstance(field.default_value, list),
        cpp_type=field.cpp_type,
        message=field.message_type.full_name if field.message_type is not None else None,
        words={value.name: encode_integer(value.number) for value in values},
        numbers=frozenset(encode_integer(value.number) for value in values if value.number < FIRST_PRIVATE_NUMBER),
        role=_ROLES.get((field.containing_type.full_name, field.name), ""),
        idle=_is_idle(field),
        axes=_AXES.get(field.name, ()) if "kernel_h" in field.containing_type.fields_by_name else (),
    )


def _is_idle(field: Any) -> bool:
    messages = (field.containing_type, field.message_type)
    if any(message is not None and message.name == "FillerParameter" for message in messages):
        return True
    return field.name == "engine" or field.name in _IDLE.get(field.containing_type.name, ())


TYPE_WORD = _field_of(caffe_pb2.V1LayerParameter.DESCRIPTOR.fields_by_name["type_word"])
"""Our own field for the type of a `layers` block that is none of the schema's words."""
