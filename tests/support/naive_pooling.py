"""Poolings with masks, and what undoes them, as plain loops over their definition, in Caffe's order of axes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from caffeconv.model import Array

__all__ = ["max_pooled", "put_back", "unpooled"]

Sizes = Sequence[int]


def max_pooled(x: Array, kernel: Sizes, stride: Sizes, pad: Sizes, ceil: bool = True) -> tuple[Array, Array]:
    """`pooling_layer.cpp`: the maxima, and where they stand in their plane, the first of equal ones."""
    sizes = []
    for size, k, s, p in zip(x.shape[2:], kernel, stride, pad, strict=True):
        room = (size + 2 * p - k) / s
        count = (math.ceil(room) if ceil else math.floor(room)) + 1
        sizes.append(count - 1 if any(pad) and (count - 1) * s >= size + p else count)
    top = np.full((*x.shape[:2], *sizes), -np.finfo(np.float32).max)
    mask = np.full(top.shape, -1.0)
    height, width = x.shape[2:]
    for n, c, row, column in np.ndindex(*top.shape):
        first, second = row * stride[0] - pad[0], column * stride[1] - pad[1]
        for h in range(max(first, 0), min(first + kernel[0], height)):
            for w in range(max(second, 0), min(second + kernel[1], width)):
                if x[n, c, h, w] > top[n, c, row, column]:
                    top[n, c, row, column] = x[n, c, h, w]
                    mask[n, c, row, column] = h * width + w
    return top, mask


def put_back(x: Array, mask: Array, height: int, width: int) -> Array:
    """SegNet's `upsample_layer.cpp`: value by value, to the place in its plane that the mask names."""
    top = np.zeros((*x.shape[:2], height * width))
    for n, c in np.ndindex(*x.shape[:2]):
        for value, place in zip(x[n, c].ravel(), mask[n, c].ravel(), strict=True):
            top[n, c, int(place)] = value
    return top.reshape(*x.shape[:2], height, width)


def unpooled(x: Array, method: str, kernel: Sizes, stride: Sizes, height: int, width: int) -> Array:
    """DeconvNet's `unpooling_layer.cpp` without a mask: values at the begin of their windows, or all over."""
    top = np.zeros((*x.shape[:2], height, width))
    for n, c, row, column in np.ndindex(*x.shape):
        value = x[n, c, row, column]
        first, second = row * stride[0], column * stride[1]
        if method == "MAX":
            top[n, c, min(first, height - 1), min(second, width - 1)] = value
            continue
        rows, columns = range(first, min(first + kernel[0], height)), range(second, min(second + kernel[1], width))
        for h in rows:
            for w in columns:
                top[n, c, h, w] += value / (len(rows) * len(columns)) if method == "AVE" else value
    return top
