"""Numbers of enums that the schema does not have, which a binary message keeps among its unknown fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from google.protobuf.message import Message

__all__ = ["last_unknown_number"]

_VARINT = 0


def last_unknown_number(message: Message, field_number: int) -> int | None:
    """The last varint that `message` keeps under `field_number` without knowing what it means."""
    numbers = [
        field.data
        for field in _unknown_fields(message)
        if field.field_number == field_number and field.wire_type == _VARINT
    ]
    return int(numbers[-1]) if numbers else None


def _unknown_fields(message: Any) -> Any:
    """A class answers this; in protobuf 3, which has no such class, the message itself."""
    try:
        from google.protobuf.unknown_fields import UnknownFieldSet
    except ImportError:
        return message.UnknownFields()
    return UnknownFieldSet(message)
