"""The same values in another shape or order."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["CLASSES", "flip", "reorder_features", "reorganize", "reshape", "transpose"]

ops: Any = None


def flip(x, axis):
    """x with an axis the other way round."""
    return ops.flip(x, axis=axis)


def transpose(x, axes):
    """x with its axes in another order, the batch among them."""
    return ops.transpose(x, tuple(axes))


def reshape(x, shape):
    """x in another shape, the batch among it."""
    return ops.reshape(x, tuple(shape))


def reorder_features(x, segments):
    """Flattened maps (axes…, C) one behind the other, each in Caffe's order (C, axes…)."""
    parts, ends, end = [], [], 0
    for segment in segments:
        end += math.prod(segment)
        ends.append(end)
    pieces = ops.split(x, ends[:-1], axis=1)
    for part, (channels, *axes) in zip(pieces, segments):
        maps = ops.reshape(part, (-1, *axes, channels))
        turned = ops.transpose(maps, (0, len(axes) + 1, *range(1, len(axes) + 1)))
        parts.append(ops.reshape(turned, (-1, channels * math.prod(axes))))
    return ops.concatenate(parts, axis=1)


def reorganize(x, stride, reverse):
    """YOLO's Reorg: each block of pixels in channels, or back (reorg_layer of MobileNet-YOLO)."""
    _, height, width, channels = x.shape
    x = ops.transpose(x, (0, 3, 1, 2))
    if reverse:
        small = channels // stride**2
        x = ops.reshape(x, (-1, stride, stride, small, height, width))
        x = ops.transpose(x, (0, 3, 4, 1, 5, 2))
        x = ops.reshape(x, (-1, small, height * stride, width * stride))
    else:
        rows, columns = height // stride, width // stride
        x = ops.reshape(x, (-1, channels, rows, stride, columns, stride))
        x = ops.transpose(x, (0, 3, 5, 1, 2, 4))
        x = ops.reshape(x, (-1, channels * stride**2, rows, columns))
    return ops.transpose(x, (0, 2, 3, 1))


CLASSES: Mapping[str, Callable[..., Any]] = {
    "Flip": flip,
    "TransposeAll": transpose,
    "ReshapeAll": reshape,
    "ReorderFeatures": reorder_features,
    "Reorganize": reorganize,
}
