"""What a layer is set to that nobody reads: one walk over its settings, by the table of what becomes of each."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from caffeconv.catalogue import LAYER_TYPES
from caffeconv.model import Note
from caffeconv.net.settings import ALL, SETTINGS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.message import Message

    from caffe_proto.caffe_pb2 import LayerParameter

__all__ = ["remarks_on"]


def remarks_on(layer: LayerParameter) -> Iterator[Note]:
    """A note for each setting of a layer that is not used though it is no default, and not without effect."""
    for level, text in _remarks(layer, "LayerParameter", "", layer.type):
        yield Note("warning" if level else "info", layer.name, text)


def _remarks(message: Message, name: str, path: str, layer_type: str) -> Iterator[tuple[bool, str]]:
    settings = SETTINGS.get(name)
    if settings is None:
        return
    used, told = _names(settings.used), _names(settings.told)
    for field, value in message.ListFields():
        if not path and _is_anothers(field.name, layer_type):
            continue
        if field.name in used:
            for each in _messages(field, value):
                yield from _remarks(each, each.DESCRIPTOR.name, f"{path}{field.name}.", layer_type)
        elif _is_default(field, value):
            continue
        elif field.name in settings.warned:
            yield True, f"its {path}{field.name} is set{_shown(value)}: {settings.warned[field.name]}"
        elif field.name in told or settings.told == ALL:
            yield False, f"its {path}{field.name}{_shown(value)} is not read"


@functools.cache
def _names(words: str) -> frozenset[str]:
    return frozenset(words.split())


@functools.cache
def _owners() -> dict[str, frozenset[str]]:
    """The parameters that a file of Caffe's holds for some types alone."""
    types = LAYER_TYPES.values()
    names = {name for each in types for name in each.parameters.split()}
    return {name: frozenset(each.name for each in types if name in each.parameters.split()) for name in names}


def _is_anothers(field: str, layer_type: str) -> bool:
    """Whether a layer of Caffe's has the parameter of another type, which it does not look at."""
    known = LAYER_TYPES.get(layer_type)
    return known is not None and not known.fork and layer_type not in _owners().get(field, (layer_type,))


def _messages(field: Any, value: Any) -> list[Message]:
    if field.message_type is None:
        return []
    return [value] if hasattr(value, "ListFields") else list(value)


def _is_default(field: Any, value: Any) -> bool:
    """Whether nothing changes where it is not given; a list or a message is given, whatever it holds."""
    return not _messages(field, value) and bool(value == field.default_value)


def _shown(value: Any) -> str:
    """A number or a word, as a text has it."""
    return f" ({str(value).lower() if isinstance(value, bool) else f'{value:g}'})" if _is_number(value) else ""


def _is_number(value: Any) -> bool:
    return isinstance(value, bool | int | float)
