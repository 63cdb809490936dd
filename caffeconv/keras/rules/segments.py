"""What the order of its inputs means for the arrays of one layer, and for a Keras model around it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, TypeAlias

from caffeconv.keras.rules.flattening import SAME, Follow, Order, common_order, is_reordered, joined
from caffeconv.model import Layer, MaybeShape, Shape

__all__ = [
    "Along", "Segments", "flattened_segments", "given_segments", "order_remarks", "segments_of", "static_segments",
]  # fmt: skip

Along: TypeAlias = Literal["", "features", "inputs", "steps"]
"""What the arrays of a layer lie along; see `Rule.along`."""

Segments: TypeAlias = tuple[Shape, ...] | None
"""Shapes (C, axes…) of what lies flattened one behind the other; empty where Caffe's order is Keras' order, `None`
where it cannot be known."""


def segments_of(layer: Layer, along: Along, order: Order | None) -> Segments:
    """The segments of the first bottom along which the layer's arrays lie."""
    shape = layer.bottom_shapes[0] if layer.bottom_shapes else None
    if not along:
        return ()
    if along == "features":
        return _segments_by_feature(layer, shape, order)
    if along == "inputs":
        param = layer.param.inner_product_param
        features = max(layer.blobs[0].array.size // (param.num_output or 1), 1)
        return flattened_segments(shape, param.axis, order, features)
    if shape is not None and len(shape) > 3 and (order is None or order.kind == "spatial"):
        return (shape[2:],) if is_reordered(shape[2:]) else ()
    return flattened_segments(shape, 2, order, math.prod(shape[2:])) if shape is not None else ()


def given_segments(shape: Shape) -> Segments:
    """Those of flattened maps of a shape (C, axes…) that the user knows."""
    return (shape,) if is_reordered(shape) else ()


def static_segments(layer: Layer, order: Order | None) -> Segments:
    """Those of the static input of an LSTM or RNN, of which there is one where the layer has a matrix for it."""
    shape = layer.bottom_shapes[2] if len(layer.bottom_shapes) > 2 else None
    return flattened_segments(shape, 1, order, math.prod(shape[1:])) if shape is not None else ()


def _segments_by_feature(layer: Layer, shape: MaybeShape, order: Order | None) -> Segments:
    """Where arrays have a value for each element of a flat axis, they are in its order."""
    if shape is None or len(shape) < 2 or all(blob.array.size == 1 for blob in layer.blobs):
        return ()
    if order is None:
        return None if len(shape) == 2 else ()
    if order.kind != "flat" or not any(map(is_reordered, order.segments)):
        return ()
    axes = {"Bias": layer.param.bias_param.axis, "Scale": layer.param.scale_param.axis}
    covered = shape[axes[layer.type] :] if layer.type in axes else shape[1:2]
    features = sum(map(math.prod, order.segments))
    if features not in covered:
        return ()
    return order.segments if math.prod(covered) == features == layer.blobs[0].array.size else None


def flattened_segments(shape: MaybeShape, axis: int, order: Order | None, features: int) -> Segments:
    """The segments that lie behind each other where a layer flattens the axes of a bottom from `axis` on.

    `features` is the length of what they are flattened to. Empty where Caffe's order is Keras' order, `None` where it
    cannot be known.
    """
    if order is not None and (order.kind == "same" or (axis == 1 and order.channels == features)):
        return ()
    if shape is None or order is None:
        return None
    axis = axis + len(shape) if axis < 0 else axis
    if order.kind == "flat":
        if sum(map(math.prod, order.segments)) != features:
            return None
        return order.segments if any(map(is_reordered, order.segments)) else ()
    if sum(size > 1 for size in shape[axis:]) <= 1:  # a single axis keeps its order however it is moved
        return ()
    if axis == 0:
        return None
    # The rule for an axis behind the channels brings the axes back to Caffe's order.
    return (shape[1:],) if axis == 1 and is_reordered(shape[1:]) else ()


def order_remarks(layer: Layer, orders: Sequence[Order | None], follow: Follow) -> tuple[str | None, str | None]:
    """A note and a warning on what a layer does to the order, as far as a Keras layer does not do it by itself."""
    before = layer.bottom_shapes[0] if layer.bottom_shapes else None
    after = layer.top_shapes[0] if layer.top_shapes else None
    if before is None or after is None:
        return None, None
    makes_maps = layer.type == "Reshape" and len(before) == 2 and len(after) > 3 and is_reordered(after[1:])
    if makes_maps and orders[0] == SAME:
        axes = (*range(2, len(after)), 1)
        return f"makes maps of a vector: in Keras by Reshape({after[1:]}) > Permute({axes})", None
    if follow is joined and None not in orders and common_order(layer, orders) is None:
        return None, "its inputs lie in different orders in a Keras model that flattens channels last"
    return None, None
