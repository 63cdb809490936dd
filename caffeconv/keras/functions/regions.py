"""What lies in regions of maps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["CLASSES", "position_sensitive_roi_pooling", "roi_align", "roi_pooling"]

ops: Any = None


def _divided(length, parts):
    """length / parts, rounded once; by a known number compilers multiply with 1 / it."""
    return length / ops.where(length > 0.0, float(parts), length)


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
        length = _divided(ops.maximum(end - begin + 1.0, 1.0), parts)
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


def _of_items(x, regions, rows):
    """(regions, parts, items, rows): weights of rows, 0 but for each region's item."""
    numbers = ops.cumsum(ops.ones_like(x[:, 0, 0, 0]), axis=0) - 1.0
    own = ops.cast(ops.floor(regions[:, :1]) == ops.expand_dims(numbers, 0), "float32")
    own = ops.expand_dims(ops.expand_dims(own, 1), 3)
    return own * ops.expand_dims(rows, 2)


def position_sensitive_roi_pooling(x, regions, group_size, spatial_scale):
    """Means over parts of each region (item, left, top, right, bottom) of x (R-FCN's).

    Each part has channels of its own: they are (output, row of parts, column of parts).
    """
    regions = ops.reshape(regions, (-1, 5))
    edges = regions[:, 1:]
    edges = ops.sign(edges) * ops.floor(ops.abs(edges) + 0.5)
    inside = []
    for axis in (1, 2):
        pixels = ops.convert_to_tensor([[list(range(x.shape[axis]))]], dtype="float32")
        parts = ops.convert_to_tensor([list(range(group_size))], dtype="float32")
        begin = edges[:, 2 - axis : 3 - axis] * spatial_scale
        end = (edges[:, 4 - axis : 5 - axis] + 1.0) * spatial_scale
        length = _divided(ops.maximum(end - begin, 0.1), group_size)
        first = ops.expand_dims(ops.floor(parts * length + begin), 2)
        behind = ops.expand_dims(ops.ceil((parts + 1.0) * length + begin), 2)
        within = ops.logical_and(pixels >= first, pixels < behind)
        inside.append(ops.cast(within, "float32"))
    rows, columns = inside
    outputs = x.shape[3] // group_size**2
    shape = (-1, x.shape[1], x.shape[2], outputs, group_size, group_size)
    rows_of = _of_items(x, regions, rows)
    sums = ops.einsum("nhwdpq,rpnh->rpqdw", ops.reshape(x, shape), rows_of)
    sums = ops.einsum("rpqdw,rqw->rpqd", sums, columns)
    tall, wide = ops.sum(rows, axis=-1), ops.sum(columns, axis=-1)
    areas = ops.expand_dims(tall, 2) * ops.expand_dims(wide, 1)
    return sums / ops.expand_dims(ops.maximum(areas, 1.0), 3)


def roi_align(x, regions, pooled_h, pooled_w, spatial_scale, sampling_ratio):
    """Means of points between pixels of x, spread evenly over parts of each region.

    Regions are (item, left, top, right, bottom). A part has `sampling_ratio` points a
    side; where that is 0, one for each pixel that it is long (Cambricon's layer).
    """
    regions = ops.reshape(regions, (-1, 5))
    edges = regions[:, 1:] * spatial_scale
    weights = []
    for axis, parts in ((1, pooled_h), (2, pooled_w)):
        size = x.shape[axis]
        pixels = ops.convert_to_tensor([[[list(range(size))]]], dtype="float32")
        part = ops.convert_to_tensor([list(range(parts))], dtype="float32")
        begin, end = edges[:, 2 - axis : 3 - axis], edges[:, 4 - axis : 5 - axis]
        length = ops.maximum(end - begin, 1.0) / parts
        begin = ops.expand_dims(begin + part * length, 2)
        length = ops.expand_dims(length, 2)
        if sampling_ratio > 0:
            count, first, points = (
                ops.ones_like(length) * sampling_ratio,
                0.0,
                sampling_ratio,
            )
        else:  # two points of three pixels or more are on the map
            count = ops.ceil(length)
            first = ops.floor((-1.0 - begin) * count / length - 1.5)
            first, points = ops.maximum(first, 0.0), 2 * size + 8
        point = ops.convert_to_tensor([[list(range(points))]], dtype="float32") + first
        at = begin + (point + 0.5) * length / count
        on_map = ops.logical_and(at >= -1.0, at <= float(size))
        on_map = ops.cast(ops.logical_and(on_map, point < count), "float32")
        at = ops.expand_dims(ops.minimum(ops.maximum(at, 0.0), size - 1.0), 3)
        near = ops.maximum(1.0 - ops.abs(at - pixels), 0.0)
        near = ops.sum(near * ops.expand_dims(on_map, 3), axis=2)
        weights.append(near / count)
    rows, columns = weights
    sums = ops.einsum("nhwc,rpnh->rpcw", x, _of_items(x, regions, rows))
    return ops.einsum("rpcw,rqw->rpqc", sums, columns)


CLASSES: Mapping[str, Callable[..., Any]] = {
    "PSROIPooling": position_sensitive_roi_pooling,
    "ROIAlign": roi_align,
    "ROIPooling": roi_pooling,
}
