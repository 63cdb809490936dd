"""How the features of one sample are ordered, in Caffe and in a Keras model that works channels-last.

Caffe flattens a blob (N, C, H, W) channel by channel, Keras' Flatten flattens (N, H, W, C) pixel by pixel, so the
weights of a layer behind it must be reordered. Whether they must, and with which C, H and W, is found by following
every blob from the inputs on: each layer type says what it does to the order of its input. `segments` makes of that
what the rules need.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

from caffeconv.model import Layer, MaybeShape, Net, Shape
from caffeconv.net.shapes.params import optional

__all__ = ["Order", "common_order", "is_reordered", "trace_orders"]


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
_Follow: TypeAlias = Callable[[Layer, Sequence[MaybeOrder], int], MaybeOrder]
"""The order of one top, by its position, from those of the bottoms."""

_SPATIAL = Order("spatial")
_SAME = Order("same")
_MOST_SEGMENTS = 1 << 12


def trace_orders(net: Net) -> tuple[tuple[MaybeOrder, ...], ...]:
    """For each layer, the orders of its bottoms; `None` where the order cannot be known."""
    made: list[tuple[MaybeOrder, ...]] = []
    seen: list[tuple[MaybeOrder, ...]] = []
    for layer in net.layers:
        orders = tuple(made[source.layer][source.top] if source is not None else None for source in layer.sources)
        seen.append(orders)
        follow = _FOLLOW.get(layer.type, _unknown)
        made.append(tuple(follow(layer, orders, top) for top in range(len(layer.tops))))
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


def _unknown(_: Layer, __: Sequence[MaybeOrder], ___: int) -> MaybeOrder:
    return None


def _keep(_: Layer, orders: Sequence[MaybeOrder], __: int) -> MaybeOrder:
    return orders[0] if orders else None


def _keep_each(_: Layer, orders: Sequence[MaybeOrder], top: int) -> MaybeOrder:
    return orders[top] if top < len(orders) else None


def _keep_last(_: Layer, orders: Sequence[MaybeOrder], __: int) -> MaybeOrder:
    return orders[-1] if orders else None


def _join(layer: Layer, orders: Sequence[MaybeOrder], _: int) -> MaybeOrder:
    return common_order(layer, orders)


def _spatial(layer: Layer, _: Sequence[MaybeOrder], top: int) -> MaybeOrder:
    shape = layer.top_shapes[top]
    return Order("spatial", channels=shape[1] if shape is not None and len(shape) > 1 else None)


def _convolved(layer: Layer, _: Sequence[MaybeOrder], top: int) -> MaybeOrder:
    """Behind another axis than the batch, what Keras holds depends on how the axes before it are made one."""
    param, shape = layer.param.convolution_param, layer.top_shapes[top]
    if (param.axis + len(shape) if param.axis < 0 and shape is not None else param.axis) != 1:
        return None
    outputs = shape[1] if shape is not None and len(shape) > 1 else param.num_output
    return Order("spatial", channels=outputs or None)


def _same(_: Layer, __: Sequence[MaybeOrder], ___: int) -> MaybeOrder:
    return _SAME


def _input(layer: Layer, _: Sequence[MaybeOrder], top: int) -> MaybeOrder:
    shape = layer.top_shapes[top]
    return _SAME if shape is not None and len(shape) <= 2 else _SPATIAL


def _permute(layer: Layer, orders: Sequence[MaybeOrder], _: int) -> MaybeOrder:
    """Maps with their channels moved to the end are in Keras' own order; with pixels moved only they stay maps."""
    order, shape = orders[0] if orders else None, layer.bottom_shapes[0] if orders else None
    if (order is not None and order.kind == "same") or shape is None:
        return _SAME
    message, field = ("permute_param", "order") if layer.type == "Permute" else ("transpose_param", "dim")
    settings = optional(layer.param, message)
    given: tuple[int, ...] = optional(settings, field) or () if settings is not None else ()
    axes = (*given, *(axis for axis in range(len(shape)) if axis not in given))
    if axes == (0, *range(2, len(shape)), 1):
        return _SAME if order is None or order.kind == "spatial" else None
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
        return _SPATIAL if order.segments == (after[1:],) else None
    if len(after) >= 3 and after[:2] == before[:2]:
        return _SPATIAL
    if len(new) > 1 and new[-1] == math.prod(before[1:]):
        return Order("flat", (before[1:],))
    # Three axes that no convolution made are a sequence of vectors, whose last axis Keras keeps.
    return _SAME if len(before) == 3 and order.channels is None and new[-1] == before[-1] else None


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
        return _SAME if before is not None else None
    return _SPATIAL if len(before) == 2 else None


def _concat(layer: Layer, orders: Sequence[MaybeOrder], _: int) -> MaybeOrder:
    kinds = {order.kind if order is not None else None for order in orders}
    param, shapes = layer.param.concat_param, layer.bottom_shapes
    axis = param.concat_dim if param.HasField("concat_dim") else param.axis
    if kinds == {"same"}:
        return _SAME
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
    return Order("flat", tuple(segments)) if len(segments) <= _MOST_SEGMENTS else None


def _slice(layer: Layer, orders: Sequence[MaybeOrder], top: int) -> MaybeOrder:
    """Maps stay maps. Of vectors behind each other a part is known if it is cut between them."""
    order, shape = orders[0] if orders else None, layer.bottom_shapes[0] if orders else None
    if order is None or order.kind == "same":
        return order
    if order.kind == "spatial":
        return _SPATIAL
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
        return _spatial(layer, orders, top)
    before, after = layer.bottom_shapes[0], layer.top_shapes[0]
    return order if before is not None and after is not None and before[1:] == after[1:] else None


def _tile(layer: Layer, orders: Sequence[MaybeOrder], _: int) -> MaybeOrder:
    order, before, after = orders[0] if orders else None, layer.bottom_shapes[0], layer.top_shapes[0]
    if order is None or order.kind != "flat":
        return _SPATIAL if order is not None and order.kind == "spatial" else order
    if before is None or after is None or len(before) != 2:
        return None
    tiles = after[1] // before[1]
    return Order("flat", order.segments * tiles) if tiles * len(order.segments) <= _MOST_SEGMENTS else None


def _reduced(layer: Layer, orders: Sequence[MaybeOrder], _: int) -> MaybeOrder:
    """All axes from one on are gone: what is left of a flat blob has no flat axis, of maps perhaps no pixels."""
    order, shape = orders[0] if orders else None, layer.top_shapes[0]
    if order is None or shape is None:
        return None
    return _SPATIAL if order.kind == "spatial" and len(shape) > 2 else _SAME


def _pyramid(layer: Layer, _: Sequence[MaybeOrder], __: int) -> MaybeOrder:
    bottom, height = layer.bottom_shapes[0], layer.param.spp_param.pyramid_height
    if bottom is None or height > 32:
        return None
    levels = tuple((bottom[1], 2**level, 2**level) for level in range(height))
    return Order("flat", levels) if height > 1 else _SPATIAL


def _types(follow: _Follow, names: str) -> dict[str, _Follow]:
    return dict.fromkeys(names.split(), follow)


_FOLLOW: dict[str, _Follow] = {
    **_types(_convolved, "Convolution Deconvolution ConvolutionRistretto DeconvolutionRistretto ConvolutionFixed"),
    **_types(_convolved, "ConvolutionDepthwise DepthwiseConvolution CConvolution SqueezeConvolution"),
    **_types(_spatial, "Im2col ROIPooling PSROIPooling ROIAlign Upsample Interp Reorg UnPooling Unpooling"),
    **_types(_spatial, "Convolution3D Deconvolution3D Pooling3D Local"),
    **_types(_spatial, "Data ImageData HDF5Data WindowData MemoryData AnnotatedData VideoData"),
    **_types(_input, "Input DummyData Parameter"),
    **_types(_keep, "Pooling ReLU PReLU ELU Sigmoid TanH AbsVal Power Exp Log BNLL Clip Swish Threshold Dropout LRN"),
    **_types(_keep, "MVN Softmax BatchNorm Split BatchReindex Normalize ReLU6 RReLU DropoutChannel"),
    **_types(_keep, "BN SyncBN ShuffleChannel Insanity HardSwish HardSigmoid Mish SELU Mul FixedNeuron Quantization"),
    **_types(_keep_last, "Axpy"),
    **_types(_join, "Eltwise Scale Bias"),
    **_types(_permute, "Permute Transpose"),
    **_types(
        _same, "InnerProduct Embed LSTM RNN LSTMUnit PriorBox PriorBoxClustered Lstm InnerProductRistretto FcRistretto"
    ),
    **_types(_same, "MarginInnerProduct CInnerProduct InnerDistance"),
    "Crop": _crop,
    "Filter": _keep_each,
    "Flatten": _flatten,
    "Reduction": _reduced,
    "Reshape": _reshape,
    "Concat": _concat,
    "Slice": _slice,
    "SPP": _pyramid,
    "Tile": _tile,
}
