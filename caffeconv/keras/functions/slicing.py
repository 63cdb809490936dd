"""Parts of a blob."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["CLASSES", "split", "take_channels", "take_items"]

ops: Any = None


def split(x, points, axis):
    """x, cut along an axis."""
    if axis:
        return ops.split(x, list(points), axis=axis)
    return [x[begin:end] for begin, end in zip((0, *points), (*points, None))]


def take_channels(x, order, axis):
    """The elements along an axis in another order."""
    return ops.take(x, ops.convert_to_tensor(list(order)), axis=axis)


def take_items(x, indices):
    """Items of a batch, by their indices."""
    return ops.take(x, ops.cast(indices, "int32"), axis=0)


CLASSES: Mapping[str, Callable[..., Any]] = {"Split": split, "TakeAlong": take_channels, "TakeItems": take_items}
