"""What it means for the arrays of a layer that its input was flattened, or is held otherwise than Caffe holds it.

Caffe flattens a blob (N, C, H, W) channel by channel, Keras' Flatten flattens (N, H, W, C) pixel by pixel, so arrays
that lie along flattened maps must be reordered.
"""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

from caffeconv.keras.graph import Held, is_reordered
from caffeconv.model import Layer, PartialShape, Shape

__all__ = ["Along", "Segments", "flattened_segments", "segments_of", "static_segments"]

Along: TypeAlias = Literal["", "features", "inputs", "steps"]
"""What the arrays of a layer lie along; see `Rule.along`."""

Segments: TypeAlias = tuple[Shape, ...] | None
"""Shapes (C, axes…) of what lies flattened one behind the other; empty where Caffe's order is Keras' order, `None`
where it cannot be known."""


def segments_of(layer: Layer, along: Along, held: Held) -> Segments:
    """The segments of the first bottom along which the layer's arrays lie."""
    if not along:
        return ()
    if along == "features":
        return _segments_by_feature(layer, held)
    if along == "inputs":
        param = layer.param.inner_product_param
        features = max(layer.blobs[0].array.size // (param.num_output or layer.blobs[0].shape[0] or 1), 1)
        return flattened_segments(held, param.axis, features)
    # The axes of a step are flattened with the first of them, the channels, last.
    step = held.shape[2:] if held.shape is not None else ()
    if held.layout == "unknown":
        return None
    sizes = _known(step)
    return (sizes,) if sizes is not None and is_reordered(sizes) else () if sizes is not None else None


def static_segments(held: Held) -> Segments:
    """Those of the static input of an LSTM or RNN."""
    size = math.prod(_known(held.shape[1:]) or ()) if held.shape is not None else 0
    return flattened_segments(held, 1, size)


def _segments_by_feature(layer: Layer, held: Held) -> Segments:
    """Where arrays have a value for each element of a flat axis, they are in its order."""
    shape = held.shape
    if shape is None or len(shape) < 2 or all(blob.array.size == 1 for blob in layer.blobs):
        return ()
    if held.layout == "unknown":
        return None if len(shape) == 2 else ()
    if held.layout != "flat" or not any(map(is_reordered, held.segments)):
        return ()
    axes = {"Bias": layer.param.bias_param.axis, "Scale": layer.param.scale_param.axis}
    covered = len(shape) - (axes[layer.type] % len(shape) if layer.type in axes else 1)
    size = layer.blobs[0].array.size
    return _settled(held.segments, size) if covered == 1 else None


def flattened_segments(held: Held, axis: int, features: int) -> Segments:
    """The segments that lie behind each other where a layer flattens the axes of a bottom from `axis` on.

    `features` is the length of what they are flattened to.
    """
    shape = held.shape
    if held.layout == "unknown":
        return None
    if held.layout == "axes":
        return ()
    if held.layout == "flat":
        return _settled(held.segments, features)
    if shape is None:
        return None
    axis = axis + len(shape) if axis < 0 else axis
    if axis == 0:
        return None if len(shape) > 2 else ()
    # The rule for an axis behind the channels brings the axes back to Caffe's order.
    return _settled((shape[1:],), features) if axis == 1 else ()


def _settled(segments: tuple[PartialShape, ...], features: int) -> Segments:
    """The segments with all their sizes, of which those of one may follow from the number of features."""
    sizes = [_known(segment) for segment in segments]
    whole = [each for each in sizes if each is not None]
    rest = features - sum(map(math.prod, whole))
    if len(whole) < len(segments):
        channels = next(segment for segment, known in zip(segments, sizes, strict=True) if known is None)[0]
        if len(whole) + 1 < len(segments) or channels is None or rest < 1 or rest % channels:
            return None
        whole = [each if each is not None else (channels, rest // channels) for each in sizes]
    elif rest:
        return None
    return tuple(whole) if any(map(is_reordered, whole)) else ()


def _known(shape: PartialShape) -> Shape | None:
    sizes = tuple(size for size in shape if size is not None)
    return sizes if len(sizes) == len(shape) else None
