"""Windows as Caffe lays them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

__all__ = [
    "CLASSES", "average_pooling", "behind_axis", "max_pooling", "pad_lowest", "pooling_mask", "weighted_pooling",
    "windows_of",
]  # fmt: skip

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


def behind_axis(kernel, stride, after, ceil, padded):
    """What is put behind an axis of any size, so that just Caffe's windows are whole.

    Rounded up, the last window may stick out by all but one step; where anything is
    padded, it begins inside the image or the padding before it.
    """
    most = after + (stride - 1 if ceil else 0)
    return min(most, kernel - 1) if padded else most


def average_pooling(x, pool_size, strides, pads, ceil, inside=False):
    """Means over windows, each of as many values as it has in the padded image.

    `pads` are Caffe's, before and behind each axis; what is put behind them does not count,
    nor do they themselves where only what is `inside` of the image does (AVE_EXC_PAD).
    """
    counts, widths = 1.0, [(0, 0)]
    padded = any(map(any, pads))
    if None in x.shape[1:-1]:
        ends = [(0, 0)]
        for kernel, stride, (_, after) in zip(pool_size, strides, pads):
            most = behind_axis(kernel, stride, after, ceil, padded)
            ends.append((0, max(most - after, 0)))
        around = ((0, 0), *pads, (0, 0))
        counted = 0.0 if inside else 1.0
        shares = ops.pad(ops.ones_like(x), around, constant_values=counted)
        shares = ops.pad(shares, (*ends, (0, 0)))
        x = ops.pad(ops.pad(x, around), (*ends, (0, 0)))
        shares = ops.average_pool(shares, pool_size, strides=strides, padding="valid")
        sums = ops.average_pool(x, pool_size, strides=strides, padding="valid")
        return sums / shares
    for axis, size in enumerate(x.shape[1:-1]):
        kernel, stride, (before, after) = pool_size[axis], strides[axis], pads[axis]
        windows, reach = windows_of(size, kernel, stride, pads[axis], ceil, padded)
        end = size + before + after
        widths.append((before, max(reach - size - before, after)))
        starts = range(0, windows * stride, stride)
        first, last = (before, before + size) if inside else (0, end)
        reaches = [(max(at, first), min(at + kernel, last)) for at in starts]
        shares = [kernel / max(1, stop - begin) for begin, stop in reaches]
        shares = ops.convert_to_tensor(shares, dtype="float32")
        counts = counts * ops.reshape(shares, (-1, *[1] * (len(pool_size) - axis)))
    x = ops.pad(x, (*widths, (0, 0)))
    means = ops.average_pool(x, pool_size, strides=strides, padding="valid")
    return means * counts


def max_pooling(x, pool_size, strides, pads, ceil):
    """Maxima over windows, of which the last may stick out of the padded image."""
    padded, widths = any(map(any, pads)), [(0, 0)]
    for kernel, stride, (before, after) in zip(pool_size, strides, pads):
        most = behind_axis(kernel, stride, after, ceil, padded)
        widths.append((before, most))
    x = ops.pad(x, (*widths, (0, 0)), constant_values=-3.4028234663852886e38)
    return ops.max_pool(x, pool_size, strides=strides, padding="valid")


def pooling_mask(x, pool_size, strides, pads, ceil):
    """Where each window's maximum lies: row · columns + column, of equal ones the first; -1 where there is none."""
    lowest, columns = -3.4028234663852886e38, x.shape[2]
    padded, widths, starts = any(map(any, pads)), [(0, 0)], []
    for axis, size in enumerate(x.shape[1:3]):
        kernel, stride, (before, _) = pool_size[axis], strides[axis], pads[axis]
        windows, reach = windows_of(size, kernel, stride, pads[axis], ceil, padded)
        widths.append((before, max(reach - size - before, 0)))
        starts.append(range(0, windows * stride, stride))
    x = ops.pad(x, (*widths, (0, 0)), constant_values=lowest)
    best, mask = lowest, -1.0
    for down in range(pool_size[0]):
        rows = [start + down for start in starts[0]]
        part = ops.take(x, ops.convert_to_tensor(rows), axis=1)
        firsts = [(row - pads[0][0]) * columns - pads[1][0] for row in rows]
        for right in range(pool_size[1]):
            taken = [start + right for start in starts[1]]
            value = ops.take(part, ops.convert_to_tensor(taken), axis=2)
            places = [[[[first + column] for column in taken] for first in firsts]]
            greater = ops.greater(value, best)
            places = ops.convert_to_tensor(places, dtype="float32")
            mask = ops.where(greater, places, mask)
            best = ops.where(greater, value, best)
    return mask


def weighted_pooling(x, pool_size, strides, ceil):
    """Σx² / Σx over windows, 0 where Σx is not above 0: what stochastic pooling does when it is not trained."""
    sizes = zip(pool_size, strides)
    ends = [(0, behind_axis(*each, 0, ceil, False)) for each in sizes]
    x = ops.pad(x, ((0, 0), *ends, (0, 0)))
    sums = ops.average_pool(x, pool_size, strides=strides, padding="valid")
    squares = ops.average_pool(x * x, pool_size, strides=strides, padding="valid")
    return ops.where(ops.greater(sums, 0.0), squares / sums, 0.0)


CLASSES: Mapping[str, Callable[..., Any]] = {
    "PadLowest": pad_lowest,
    "CaffeAveragePooling": average_pooling,
    "CaffeMaxPooling": max_pooling,
    "PoolingMask": pooling_mask,
    "WeightedPooling": weighted_pooling,
}
