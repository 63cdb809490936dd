"""Windows as Caffe lays them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["CLASSES", "average_pooling", "max_pooling", "pad_lowest", "weighted_pooling", "windows_of"]

ops: Any = None


def pad_lowest(x, pads):
    """x between values that no maximum takes; `pads` are those of the axes behind the batch, but for the last."""
    widths = ((0, 0), *((before, after) for before, after in pads), (0, 0))
    return ops.pad(x, widths, constant_values=-3.4028234663852886e38)


def windows_of(size, kernel, stride, pads, ceil, padded):
    """How many windows Caffe has along an axis, and how far they reach."""
    room = size + sum(pads) - kernel
    windows = (-(-room // stride) if ceil else room // stride) + 1
    if padded and (windows - 1) * stride >= size + pads[0]:
        windows -= 1
    return windows, (windows - 1) * stride + kernel


def average_pooling(x, pool_size, strides, pads, ceil):
    """Means over windows, each of as many values as it has in the padded image.

    `pads` are Caffe's, before and behind each axis; what is put behind them does not count.
    """
    counts, widths = 1.0, [(0, 0)]
    padded = any(map(any, pads))
    for axis, size in enumerate(x.shape[1:-1]):
        kernel, stride, (before, after) = pool_size[axis], strides[axis], pads[axis]
        windows, reach = windows_of(size, kernel, stride, pads[axis], ceil, padded)
        end = size + before + after
        widths.append((before, max(reach - size - before, after)))
        starts = range(0, windows * stride, stride)
        inside = [kernel / max(1, min(kernel, end - start)) for start in starts]
        inside = ops.convert_to_tensor(inside, dtype="float32")
        counts = counts * ops.reshape(inside, (-1, *[1] * (len(pool_size) - axis)))
    x = ops.pad(x, (*widths, (0, 0)))
    means = ops.average_pool(x, pool_size, strides=strides, padding="valid")
    return means * counts


def max_pooling(x, pool_size, strides, pads, ceil):
    """Maxima over windows, of which the last may stick out of the padded image."""
    widths = [(0, 0)]
    padded = any(map(any, pads))
    for axis, size in enumerate(x.shape[1:-1]):
        kernel, stride, (before, _) = pool_size[axis], strides[axis], pads[axis]
        _, reach = windows_of(size, kernel, stride, pads[axis], ceil, padded)
        widths.append((before, max(reach - size - before, 0)))
    x = ops.pad(x, (*widths, (0, 0)), constant_values=-3.4028234663852886e38)
    return ops.max_pool(x, pool_size, strides=strides, padding="valid")


def weighted_pooling(x, pool_size, strides, ceil):
    """Σx² / Σx over windows: what stochastic pooling does when it is not trained."""
    sizes = zip(x.shape[1:-1], pool_size, strides)
    ends = [windows_of(*each, (0, 0), ceil, False)[1] - each[0] for each in sizes]
    x = ops.pad(x, ((0, 0), *((0, max(end, 0)) for end in ends), (0, 0)))
    sums = ops.average_pool(x, pool_size, strides=strides, padding="valid")
    squares = ops.average_pool(x * x, pool_size, strides=strides, padding="valid")
    return squares / sums


CLASSES: Mapping[str, Callable[..., Any]] = {
    "PadLowest": pad_lowest,
    "CaffeAveragePooling": average_pooling,
    "CaffeMaxPooling": max_pooling,
    "WeightedPooling": weighted_pooling,
}
