"""Boxes, and what lies in them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["CLASSES", "prior_box", "roi_pooling"]

ops: Any = None


def prior_box(x, image, sizes, clip, variances, steps, offset, image_size):
    """(1, 2, boxes · 4): priors of each pixel of x, relative to the image, and their variances (SSD's prior_box_layer).

    `sizes`, `steps` and `image_size` are along rows and columns, the latter two 0 where the shapes tell them.
    """
    rows, columns = x.shape[1:3]
    height, width = (own or size for own, size in zip(image_size, image.shape[1:3]))
    down, across = steps[0] or height / rows, steps[1] or width / columns
    boxes = []
    for row, column, box in itertools.product(range(rows), range(columns), sizes):
        y, x = (row + offset) * down, (column + offset) * across
        tall, wide = box[0] / 2, box[1] / 2
        boxes += [(x - wide) / width, (y - tall) / height]
        boxes += [(x + wide) / width, (y + tall) / height]
    if clip:
        boxes = [min(max(edge, 0.0), 1.0) for edge in boxes]
    repeated = list(variances) * (len(boxes) // len(variances))
    return ops.convert_to_tensor([[boxes, repeated]], dtype="float32")


def roi_pooling(x, regions, pooled_h, pooled_w, spatial_scale):
    """Maxima over parts of each region (item, left, top, right, bottom) of x, 0 beyond it (Fast R-CNN's layer)."""
    lowest = -3.4028234663852886e38
    regions = ops.reshape(regions, (-1, 5))
    maps = ops.take(x, ops.cast(regions[:, 0], "int32"), axis=0)
    edges = regions[:, 1:] * spatial_scale
    edges = ops.sign(edges) * ops.floor(ops.abs(edges) + 0.5)
    for axis, parts in ((1, pooled_h), (2, pooled_w)):
        size = maps.shape[axis]
        begin, end = edges[:, 2 - axis], edges[:, 4 - axis]
        length = ops.maximum(end - begin + 1.0, 1.0) / parts
        pixels = ops.convert_to_tensor([list(range(size))], dtype="float32")
        pooled = []
        for part in range(parts):
            first = ops.expand_dims(ops.floor(length * part) + begin, 1)
            behind = ops.expand_dims(ops.ceil(length * (part + 1)) + begin, 1)
            inside = ops.logical_and(pixels >= first, pixels < behind)
            shape = (-1, size, 1, 1) if axis == 1 else (-1, 1, size, 1)
            inside = ops.reshape(inside, shape)
            pooled.append(ops.max(ops.where(inside, maps, lowest), axis=axis))
        maps = ops.stack(pooled, axis=axis)
    return ops.where(maps > lowest, maps, 0.0)


CLASSES: Mapping[str, Callable[..., Any]] = {"PriorBox": prior_box, "ROIPooling": roi_pooling}
