"""How the features of one sample are ordered, in Caffe and in a Keras model that works channels-last.

Caffe flattens a blob (N, C, H, W) channel by channel, Keras' Flatten flattens (N, H, W, C) pixel by pixel, so the
weights of a layer behind it must be reordered. Whether they must, and with which C, H and W, is found by following
every blob from the inputs on: each layer type says what it does to the order of its input.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

from caffeconv.model import Layer, MaybeShape, Net, Shape

__all__ = ["Order", "flattened_segments", "trace_orders"]


@dataclasses.dataclass(frozen=True)
class Order:
    """The order of a blob's values in Keras, seen from Caffe's.

    `spatial`: Caffe's (N, C, axes…) is Keras' (N, axes…, C). `same`: Keras has the same axes in the same order.
    `flat`: axis 1 holds `segments` one behind the other, each of a shape (C, axes…) that Keras flattened as (axes…, C).
    `channels` is C of a spatial blob, which convolutions tell even where the input's size is not known.
    """

    kind: Literal["spatial", "same", "flat"]
    segments: tuple[Shape, ...] = ()
    channels: int | None = None


MaybeOrder: TypeAlias = Order | None
_Follow: TypeAlias = Callable[[Layer, Sequence[MaybeOrder]], MaybeOrder]

_SPATIAL = Order("spatial")
_SAME = Order("same")


def trace_orders(net: Net) -> tuple[tuple[MaybeOrder, ...], ...]:
    """For each layer, the orders of its bottoms; `None` where the order cannot be known."""
    made: list[MaybeOrder] = []
    seen: list[tuple[MaybeOrder, ...]] = []
    for layer in net.layers:
        orders = tuple(made[source.layer] if source is not None else None for source in layer.sources)
        seen.append(orders)
        follow = _FOLLOW.get(layer.type)
        made.append(follow(layer, orders) if follow is not None else None)
    return tuple(seen)


def flattened_segments(shape: MaybeShape, axis: int, order: MaybeOrder, features: int) -> tuple[Shape, ...] | None:
    """The segments that lie behind each other where a layer flattens the axes of a bottom from `axis` on.

    `features` is the length of what they are flattened to. Empty where Caffe's order is Keras' order, `None` where it
    cannot be known.
    """
    if order is not None and (order.kind == "same" or (axis == 1 and order.channels == features)):
        return ()
    if shape is None:
        return None
    axis = axis + len(shape) if axis < 0 else axis
    if sum(size > 1 for size in shape[axis:]) <= 1 and (order is None or order.kind == "spatial"):
        # A single axis keeps its order however it is moved; a flat blob may have been that by concatenation.
        return () if order is not None or len(shape) - axis > 1 else None
    if order is None or axis == 0:
        return None
    if axis > 1:  # the rule for it brings the axes back to Caffe's order
        return ()
    segments = (shape[1:],) if order.kind == "spatial" else order.segments
    return segments if any(_is_reordered(segment) for segment in segments) else ()


def _is_reordered(segment: Shape) -> bool:
    return segment[0] > 1 and any(size > 1 for size in segment[1:])


def _keep(_: Layer, orders: Sequence[MaybeOrder]) -> MaybeOrder:
    return orders[0] if orders else None


def _keep_last(_: Layer, orders: Sequence[MaybeOrder]) -> MaybeOrder:
    return orders[-1] if orders else None


def _spatial(layer: Layer, _: Sequence[MaybeOrder]) -> MaybeOrder:
    shape = layer.top_shapes[0] if layer.top_shapes else None
    return Order("spatial", channels=shape[1] if shape is not None and len(shape) > 1 else None)


def _convolved(layer: Layer, _: Sequence[MaybeOrder]) -> MaybeOrder:
    return Order("spatial", channels=layer.param.convolution_param.num_output or None)


def _same(_: Layer, __: Sequence[MaybeOrder]) -> MaybeOrder:
    return _SAME


def _input(layer: Layer, _: Sequence[MaybeOrder]) -> MaybeOrder:
    shape = layer.top_shapes[0] if layer.top_shapes else None
    return _SAME if shape is not None and len(shape) <= 2 else _SPATIAL


def _flatten(layer: Layer, orders: Sequence[MaybeOrder]) -> MaybeOrder:
    order, before, after = orders[0] if orders else None, layer.bottom_shapes[0], layer.top_shapes[0]
    if order is None or order.kind != "spatial":
        return order
    if before is None or after is None:
        return None
    if after == before or (len(after) >= 3 and after[:2] == before[:2]):
        return _SPATIAL
    if len(after) == 2 and after[0] == before[0]:
        return Order("flat", (before[1:],))
    return None


def _reshape(layer: Layer, orders: Sequence[MaybeOrder]) -> MaybeOrder:
    """As Flatten; a vector made into channels and pixels is taken to be permuted by the Keras model, too."""
    after = layer.top_shapes[0] if layer.top_shapes else None
    order = orders[0] if orders else None
    if order is not None and order.kind != "spatial" and after is not None and len(after) > 2:
        vector = layer.bottom_shapes[0] is not None and len(layer.bottom_shapes[0]) == 2
        return _SPATIAL if vector and order.kind == "same" else None
    return _flatten(layer, orders)


def _concat(layer: Layer, orders: Sequence[MaybeOrder]) -> MaybeOrder:
    kinds = {order.kind if order is not None else None for order in orders}
    param = layer.param.concat_param
    axis = param.concat_dim if param.HasField("concat_dim") else param.axis
    if kinds == {"same"}:
        return _SAME
    if kinds == {"spatial"}:
        channels = [order.channels for order in orders if order is not None and order.channels is not None]
        return Order("spatial", channels=sum(channels) if axis == 1 and len(channels) == len(orders) else None)
    shapes = layer.bottom_shapes
    if None in kinds or "spatial" in kinds or axis not in (1, -1) or any(s is None or len(s) != 2 for s in shapes):
        return None
    segments: list[Shape] = []
    for order, shape in zip(orders, shapes, strict=True):
        if order is not None and shape is not None:
            segments.extend(order.segments if order.kind == "flat" else (shape[1:],))
    return Order("flat", tuple(segments))


def _slice(_: Layer, orders: Sequence[MaybeOrder]) -> MaybeOrder:
    order = orders[0] if orders else None
    if order is None or order.kind == "same":
        return order
    return _SPATIAL if order.kind == "spatial" else None


def _pyramid(layer: Layer, _: Sequence[MaybeOrder]) -> MaybeOrder:
    bottom, height = layer.bottom_shapes[0], layer.param.spp_param.pyramid_height
    if bottom is None or height > 32:
        return None
    return Order("flat", tuple((bottom[1], 2**level, 2**level) for level in range(height)))


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
    **_types(_keep, "MVN Softmax BatchNorm Scale Bias Eltwise Split Crop BatchReindex Filter Normalize ReLU6 RReLU"),
    **_types(_keep, "BN SyncBN ShuffleChannel Insanity HardSwish HardSigmoid Mish SELU Mul FixedNeuron Quantization"),
    **_types(_keep_last, "Axpy"),
    **_types(_same, "InnerProduct Embed LSTM RNN Permute Transpose PriorBox Lstm InnerProductRistretto FcRistretto"),
    **_types(_same, "MarginInnerProduct CInnerProduct InnerDistance"),
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Concat": _concat,
    "Slice": _slice,
    "SPP": _pyramid,
}
