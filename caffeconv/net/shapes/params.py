"""Parameters of forks, which need not be part of the schema that reads a net."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from google.protobuf.message import Message

__all__ = ["optional", "required"]


def optional(message: Message, name: str) -> Any:
    """Field `name` of `message` (a tuple where it is repeated), or None where it is not set or not known."""
    if name not in message.DESCRIPTOR.fields_by_name:
        return None
    value = getattr(message, name)
    try:
        return value if message.HasField(name) else None
    except ValueError:  # a repeated field has no presence
        return tuple(value) or None


def required(message: Message, name: str) -> Any:
    """Field `name` of `message`, which the output shape cannot be known without."""
    value = optional(message, name)
    if value is None:
        raise ValueError(f"{name} is not given")
    return value
