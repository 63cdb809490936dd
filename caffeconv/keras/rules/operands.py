"""What a rule works on: a layer's arrays, which it checks before it trusts them, and its first bottom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from caffeconv.errors import UnsupportedError
from caffeconv.model import Array, Layer, MaybeShape

if TYPE_CHECKING:
    from google.protobuf.message import Message

__all__ = ["bottom_shape", "channel_count", "check_size", "decimal", "matrix", "take", "word_of"]


def take(layer: Layer, *counts: int) -> list[Array]:
    """The layer's arrays, of which there must be as many as one of `counts`, all with values.

    Raises:
        UnsupportedError: there are more or fewer, or one is empty.
    """
    arrays = [blob.array for blob in layer.blobs]
    if len(arrays) not in counts:
        raise UnsupportedError(f"{len(arrays)} blobs, expected {' or '.join(map(str, counts))}")
    for number, array in enumerate(arrays):
        if not array.size:
            raise UnsupportedError(f"blob {number} of shape {array.shape} is empty")
    return arrays


def check_size(what: str, array: Array, size: int) -> None:
    """Raises `UnsupportedError` where `array` has not `size` values."""
    if array.size != size:
        raise UnsupportedError(f"a {what} of shape {array.shape}, expected {size} values")


def matrix(array: Array) -> Array:
    """(1, …, rows, columns) -> (rows, columns). Old files hold matrices with four axes.

    Raises:
        UnsupportedError: it is no matrix.
    """
    if array.ndim < 2 or array.size != array.shape[-2] * array.shape[-1]:
        raise UnsupportedError(f"an array of shape {array.shape}, expected two axes")
    return array.reshape(array.shape[-2:])


def bottom_shape(layer: Layer) -> MaybeShape:
    """The shape of the first bottom, or `None` where it cannot be known."""
    return layer.bottom_shapes[0] if layer.bottom_shapes else None


def channel_count(layer: Layer) -> int | None:
    """The channels of the first bottom, or `None` where they cannot be known."""
    shape = bottom_shape(layer)
    return None if shape is None or len(shape) < 2 else shape[1]


def word_of(param: Message, name: str) -> str:
    """The word that an enum field of a parameter holds."""
    words: Any = param.DESCRIPTOR.fields_by_name[name].enum_type
    word: str = words.values_by_number[getattr(param, name)].name
    return word


def decimal(value: float) -> float:
    """A float32 field as the decimal number that was written: 9.999999747378752e-06 is 1e-05."""
    return float(np.format_float_positional(np.float32(value), unique=True))
