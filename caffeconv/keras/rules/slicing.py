"""What joins, cuts, repeats and selects along an axis."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from caffeconv.keras.rules.flattening import MOST_SEGMENTS, SAME, SPATIAL, MaybeOrder, Order, each_kept, kept, maps
from caffeconv.keras.rules.record import Rule
from caffeconv.model import Layer, Shape

__all__ = ["ROWS"]


def _concat(layer: Layer, orders: Sequence[MaybeOrder], _: int) -> MaybeOrder:
    kinds = {order.kind if order is not None else None for order in orders}
    param, shapes = layer.param.concat_param, layer.bottom_shapes
    axis = param.concat_dim if param.HasField("concat_dim") else param.axis
    if kinds == {"same"}:
        return SAME
    if kinds == {"spatial"}:
        channels = [order.channels for order in orders if order is not None and order.channels is not None]
        return Order("spatial", channels=sum(channels) if axis == 1 and len(channels) == len(orders) else None)
    if None in kinds or "spatial" in kinds or any(shape is None for shape in shapes):
        return None
    if axis != -1 and any(shape is not None and len(shape) != axis + 1 for shape in shapes):  # not the last axis
        return orders[0] if len(set(orders)) == 1 else None
    segments: list[Shape] = []
    for order, shape in zip(orders, shapes, strict=True):
        if order is not None and shape is not None:
            segments.extend(order.segments if order.kind == "flat" else (shape[-1:],))
    return Order("flat", tuple(segments)) if len(segments) <= MOST_SEGMENTS else None


def _slice(layer: Layer, orders: Sequence[MaybeOrder], top: int) -> MaybeOrder:
    """Maps stay maps. Of vectors behind each other a part is known if it is cut between them."""
    order, shape = orders[0] if orders else None, layer.bottom_shapes[0] if orders else None
    if order is None or order.kind == "same":
        return order
    if order.kind == "spatial":
        return SPATIAL
    sizes = [each[-1] for each in layer.top_shapes if each is not None]
    if shape is None or len(sizes) < len(layer.tops):
        return None
    if set(sizes) == {shape[-1]}:  # along another axis
        return order
    ends = [0, *itertools.accumulate(map(math.prod, order.segments))]
    start, stop = sum(sizes[:top]), sum(sizes[: top + 1])
    if start not in ends or stop not in ends:
        return None
    return Order("flat", order.segments[ends.index(start) : ends.index(stop)])


def _crop(layer: Layer, orders: Sequence[MaybeOrder], top: int) -> MaybeOrder:
    order = orders[0] if orders else None
    if order is None or order.kind == "same":
        return order
    if order.kind == "spatial":
        return maps(layer, orders, top)
    before, after = layer.bottom_shapes[0], layer.top_shapes[0]
    return order if before is not None and after is not None and before[1:] == after[1:] else None


def _tile(layer: Layer, orders: Sequence[MaybeOrder], _: int) -> MaybeOrder:
    order, before, after = orders[0] if orders else None, layer.bottom_shapes[0], layer.top_shapes[0]
    if order is None or order.kind != "flat":
        return SPATIAL if order is not None and order.kind == "spatial" else order
    if before is None or after is None or len(before) != 2:
        return None
    tiles = after[1] // before[1]
    return Order("flat", order.segments * tiles) if tiles * len(order.segments) <= MOST_SEGMENTS else None


ROWS = {
    "BatchReindex": Rule(order=kept),
    "Concat":       Rule(order=_concat),
    "Crop":         Rule(order=_crop, channels="unread"),
    "Filter":       Rule(order=each_kept),
    "Slice":        Rule(order=_slice),
    "Split":        Rule(order=kept, channels="kept"),
    "Tile":         Rule(order=_tile),
    "CropCenter":   Rule(),
}  # fmt: skip
