"""What reading a text needs to know of the schema's fields."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

from caffe_proto import caffe_pb2

__all__ = ["Field", "fields_of"]

_FIRST_PRIVATE_NUMBER = 10000
_PRIVATE_FIELDS = frozenset({"payload", "type_word"})


@dataclasses.dataclass(frozen=True)
class Field:
    """What the walk needs of a field's descriptor; reading descriptors again and again is slow."""

    name: str
    full_name: str
    repeated: bool
    cpp_type: int
    message: str | None
    words: frozenset[str]
    numbers: frozenset[int]


@functools.cache
def fields_of(message: str) -> dict[str, Field]:
    """The fields of the message of that full name that a text may set, by name."""
    descriptor = caffe_pb2.DESCRIPTOR.pool.FindMessageTypeByName(message)
    return {field.name: _field_of(field) for field in descriptor.fields if field.name not in _PRIVATE_FIELDS}


def _field_of(field: Any) -> Field:
    values = field.enum_type.values if field.enum_type is not None else ()
    return Field(
        name=field.name,
        full_name=field.full_name,
        repeated=isinstance(field.default_value, list),
        cpp_type=field.cpp_type,
        message=field.message_type.full_name if field.message_type is not None else None,
        words=frozenset(value.name for value in values),
        numbers=frozenset(value.number for value in values if value.number < _FIRST_PRIVATE_NUMBER),
    )
