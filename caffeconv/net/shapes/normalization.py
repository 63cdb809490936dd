"""Normalizations: output shapes and parameter blobs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from caffeconv.net.shapes.axes import canonical_axis, require_rank
from caffeconv.net.shapes.params import optional, required
from caffeconv.net.shapes.row import SAME_SHAPE, MaybeShapes, Row, Shapes, of_known
from caffeconv.net.shapes.sizes import size_of

if TYPE_CHECKING:
    from caffe_proto.caffe_pb2 import LayerParameter

__all__ = ["ROWS"]


def _batch_norm(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """`BatchNorm`: (N, C, …) as it is."""
    canonical_axis(1, len(bottoms[0]))
    return bottoms[:1]


def _lrn(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """`LRN`: (N, C, H, W) as it is."""
    if param.lrn_param.local_size % 2 == 0:
        raise ValueError(f"local_size {param.lrn_param.local_size} is not odd")
    return (require_rank(bottoms[0], 4),)


def _mvn(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """`MVN`: (N, C, H, W), 1-padded where the bottom has fewer axes."""
    shape = bottoms[0]
    if len(shape) > 4:
        raise ValueError(f"the bottom has {len(shape)} axes, at most 4 are allowed")
    return (shape + (1,) * (4 - len(shape)),)


def _batch_norm_blobs(param: LayerParameter, bottoms: MaybeShapes) -> Shapes:
    """Mean (C), variance (C), factor (1). `batch_norm_layer.cpp`."""
    channels = size_of(bottoms[0], 1)
    return (channels,), (channels,), (1,)


def _normalize_blobs(param: LayerParameter, bottoms: MaybeShapes) -> Shapes:
    """SSD's factors (C), or () if `channel_shared`; the fork that knows no `norm_param` has no weights here."""
    settings = required(param, "norm_param")
    shared = optional(settings, "channel_shared")
    return ((),) if shared or shared is None else ((size_of(bottoms[0], 1),),)


def _moving_normalize(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """happynear's `MovingNormalize`: the shape of bottom 0, and the norm that it is divided by."""
    return bottoms[0], (1,)


ROWS = {
    "BatchNorm":       Row(1, of_known(_batch_norm), _batch_norm_blobs),
    "LRN":             Row(1, of_known(_lrn)),
    "MVN":             Row(1, of_known(_mvn)),
    "BN":              SAME_SHAPE,
    "LayerNorm":       SAME_SHAPE,
    "MovingNormalize": Row(1, of_known(_moving_normalize)),
    "Normalize":       Row(SAME_SHAPE.bottoms, SAME_SHAPE.tops, _normalize_blobs),
}  # fmt: skip
