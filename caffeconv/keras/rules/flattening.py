"""How the features of one sample are ordered, in Caffe and in a Keras model that works channels-last.

Caffe flattens a blob (N, C, H, W) channel by channel, Keras' Flatten flattens (N, H, W, C) pixel by pixel, so the
weights of a layer behind it must be reordered. Whether they must, and with which C, H and W, is found by following
every blob from the inputs on: each layer type says what it does to the order of its input. `segments` makes of that
what the rules need.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, TypeAlias

from caffeconv.model import Layer, MaybeShape, Net, Shape

__all__ = [
    "MOST_SEGMENTS", "SAME", "SPATIAL", "Follow", "MaybeOrder", "Order", "common_order", "each_kept", "is_reordered",
    "joined", "kept", "last_kept", "maps", "same_axes", "trace_orders", "unknown",
]  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Order:
    """The order of a blob's values in Keras, seen from Caffe's.

    `spatial`: Caffe's (N, C, axes…) is Keras' (N, axes…, C). `same`: Keras has the same axes in the same order.
    `flat`: so it has, but the last axis (of more than one value) holds `segments` one behind the other, each of a
    shape (C, axes…) that Keras flattened as (axes…, C).
    `channels` is C of a spatial blob, which convolutions tell even where the input's size is not known.
    """

    kind: Literal["spatial", "same", "flat"]
    segments: tuple[Shape, ...] = ()
    channels: int | None = None


MaybeOrder: TypeAlias = Order | None
Follow: TypeAlias = Callable[[Layer, Sequence[MaybeOrder], int], MaybeOrder]
"""The order of one top, by its position, from those of the bottoms."""

SPATIAL = Order("spatial")
SAME = Order("same")
MOST_SEGMENTS = 1 << 12


def trace_orders(net: Net, follow: Mapping[str, Follow]) -> tuple[tuple[MaybeOrder, ...], ...]:
    """For each layer, the orders of its bottoms; `None` where the order cannot be known.

    `follow` has a function for each layer type that is known.
    """
    made: list[tuple[MaybeOrder, ...]] = []
    seen: list[tuple[MaybeOrder, ...]] = []
    for layer in net.layers:
        orders = tuple(made[source.layer][source.top] if source is not None else None for source in layer.sources)
        seen.append(orders)
        follow_one = follow.get(layer.type, unknown)
        made.append(tuple(follow_one(layer, orders, top) for top in range(len(layer.tops))))
    return tuple(seen)


def common_order(layer: Layer, orders: Sequence[MaybeOrder]) -> MaybeOrder:
    """The order of the bottoms that go with the top value by value, if it is one; maps go before the unknown."""
    top = layer.top_shapes[0] if layer.top_shapes else None
    alike = [order for order, shape in zip(orders, layer.bottom_shapes, strict=True) if _goes_with(shape, top)]
    known = [order for order in alike if order is not None]
    if not known or len({_placement(order, top) for order in known}) > 1:
        return None
    return known[0] if len(known) == len(alike) or known[0].kind == "spatial" else None


def _goes_with(shape: MaybeShape, top: MaybeShape) -> bool:
    return shape == top or (shape is not None and top is not None and len(top) == 2 and shape[-1:] == top[-1:])


def _placement(order: Order, shape: MaybeShape) -> object:
    """Two blobs of one shape have their values in the same places in Keras if this is equal.

    Three axes are taken for a sequence of vectors, which Keras keeps, unless a convolution made them.
    """
    if order.kind == "flat":
        segments = tuple(segment if is_reordered(segment) else (math.prod(segment),) for segment in order.segments)
        return segments if any(map(is_reordered, segments)) else "same"
    maps = shape is None or len(shape) > 3 or (len(shape) == 3 and order.channels is not None)
    return order.kind if maps else "same"


def is_reordered(segment: Shape) -> bool:
    """Whether (C, axes…) has its values in another order once the channels are last."""
    return any(size > 1 for size in segment[:1]) and any(size > 1 for size in segment[1:])


def unknown(_: Layer, __: Sequence[MaybeOrder], ___: int) -> MaybeOrder:
    """An order that nobody has described."""
    return None


def kept(_: Layer, orders: Sequence[MaybeOrder], __: int) -> MaybeOrder:
    """The order of the first bottom."""
    return orders[0] if orders else None


def each_kept(_: Layer, orders: Sequence[MaybeOrder], top: int) -> MaybeOrder:
    """The order of the bottom at the top's place."""
    return orders[top] if top < len(orders) else None


def last_kept(_: Layer, orders: Sequence[MaybeOrder], __: int) -> MaybeOrder:
    """The order of the last bottom."""
    return orders[-1] if orders else None


def joined(layer: Layer, orders: Sequence[MaybeOrder], _: int) -> MaybeOrder:
    """The one order of the bottoms that go with the top value by value."""
    return common_order(layer, orders)


def maps(layer: Layer, _: Sequence[MaybeOrder], top: int) -> MaybeOrder:
    """Maps, whatever comes in."""
    shape = layer.top_shapes[top]
    return Order("spatial", channels=shape[1] if shape is not None and len(shape) > 1 else None)


def same_axes(_: Layer, __: Sequence[MaybeOrder], ___: int) -> MaybeOrder:
    """Caffe's axes, whatever comes in."""
    return SAME
