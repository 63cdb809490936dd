"""What gives the values of a blob other axes or another order."""

from __future__ import annotations

import math
from collections.abc import Sequence

from caffeconv.keras.rules.flattening import SAME, SPATIAL, MaybeOrder, Order, kept, maps
from caffeconv.keras.rules.record import Rule
from caffeconv.model import Layer, Shape
from caffeconv.net.shapes.params import optional

__all__ = ["ROWS"]


def _permute(layer: Layer, orders: Sequence[MaybeOrder], _: int) -> MaybeOrder:
    """Maps with their channels moved to the end are in Keras' own order; with pixels moved only they stay maps."""
    order, shape = orders[0] if orders else None, layer.bottom_shapes[0] if orders else None
    if (order is not None and order.kind == "same") or shape is None:
        return SAME
    message, field = ("permute_param", "order") if layer.type == "Permute" else ("transpose_param", "dim")
    settings = optional(layer.param, message)
    given: tuple[int, ...] = optional(settings, field) or () if settings is not None else ()
    axes = (*given, *(axis for axis in range(len(shape)) if axis not in given))
    if axes == (0, *range(2, len(shape)), 1):
        return SAME if order is None or order.kind == "spatial" else None
    return order if order is not None and axes[:2] == (0, 1) and order.kind == "spatial" else None


def _flatten(layer: Layer, orders: Sequence[MaybeOrder], _: int) -> MaybeOrder:
    order, before, after = orders[0] if orders else None, layer.bottom_shapes[0], layer.top_shapes[0]
    if order is None or order.kind == "same":
        return order
    if before is None or after is None:
        return None
    if after == before:
        return order
    old, new = _without_ones(before), _without_ones(after)
    if order.kind == "flat":
        if len(new) > 1 and new[-1] == old[-1]:
            return order
        return SPATIAL if order.segments == (after[1:],) else None
    if len(after) >= 3 and after[:2] == before[:2]:
        return SPATIAL
    if len(new) > 1 and new[-1] == math.prod(before[1:]):
        return Order("flat", (before[1:],))
    # Three axes that no convolution made are a sequence of vectors, whose last axis Keras keeps.
    return SAME if len(before) == 3 and order.channels is None and new[-1] == before[-1] else None


def _without_ones(shape: Shape) -> Shape:
    """Without the axes of size 1 behind the second one."""
    kept = next((axis for axis in range(len(shape), 2, -1) if shape[axis - 1] > 1), 2)
    return shape[:kept]


def _reshape(layer: Layer, orders: Sequence[MaybeOrder], top: int) -> MaybeOrder:
    """As Flatten; a vector made into channels and pixels is taken to be permuted by the Keras model, too."""
    order, before, after = orders[0] if orders else None, layer.bottom_shapes[0], layer.top_shapes[0]
    if order is None or order.kind != "same" or after is None or len(after) < 3:
        return _flatten(layer, orders, top)
    if before is None or (before[-1:] == after[-1:] and len(after) == 3):
        return SAME if before is not None else None
    return SPATIAL if len(before) == 2 else None


ROWS = {
    "Flatten":        Rule(order=_flatten),
    "Reshape":        Rule(order=_reshape),
    "Permute":        Rule(order=_permute),
    "Reorg":          Rule(order=maps),
    "Reverse":        Rule(),
    "ShuffleChannel": Rule(order=kept),
    "Transpose":      Rule(order=_permute),
}  # fmt: skip
