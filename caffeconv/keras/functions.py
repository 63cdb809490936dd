"""What layers of Caffe compute that no layer of Keras does, as functions of channels-last tensors.

A model that is written as Python holds the source of those that it uses, as it stands here, each with a class of its
name (`CLASSES`); in a model that is written as an archive they are taken apart into Keras' own operations. So they use
nothing but `ops` (`keras.ops`, or its like), `math`, Python's numbers and the operators of tensors, and their lines
are as ruff would have them at 88 columns, too.
Sources: the files of `src/caffe/layers` of Caffe 1.0, or of the fork that is named.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from typing import Any

__all__ = [
    "CLASSES", "absolute", "arg_max", "arg_max_of_sample", "average_pooling", "clip", "constant", "exponential",
    "flip", "hard_swish", "im2col", "interpolate", "logarithm", "lrn", "lrn_within", "lstm_unit", "max_pooling",
    "mvn", "pad_lowest", "power", "prior_box", "reduction", "reorder_features", "reorganize", "reshape",
    "roi_pooling", "split", "swish", "take_channels", "take_items", "threshold", "transpose", "weighted_pooling",
    "windows_of",
]  # fmt: skip

ops: Any = None
"""Bound by those who compute with these functions."""


def absolute(x):
    """|x|."""
    return ops.abs(x)


def power(x, power, scale, shift):
    """(shift + scale·x) ** power."""
    return ops.power(x * scale + shift, power)


def exponential(x, factor, offset):
    """e ** (factor·x + offset)."""
    return ops.exp(x * factor + offset)


def logarithm(x, factor, scale, shift):
    """factor · ln(shift + scale·x)."""
    return ops.log(x * scale + shift) * factor


def clip(x, low, high):
    """x, between low and high."""
    return ops.minimum(ops.maximum(x, low), high)


def threshold(x, threshold):
    """1 where x is greater, else 0."""
    return ops.cast(ops.greater(x, threshold), "float32")


def swish(x, beta):
    """x · sigmoid(beta·x)."""
    return x * ops.sigmoid(x * beta)


def hard_swish(x):
    """x · min(max(x + 3, 0), 6) / 6."""
    return x * ops.minimum(ops.maximum(x + 3.0, 0.0), 6.0) * (1 / 6)


def lrn(x, size, alpha, beta, k):
    """x / (k + alpha · mean of x² over `size` neighbouring channels) ** beta, with zeros beyond the last channels."""
    squares = ops.reshape(x * x, (-1, x.shape[-1], 1))
    squares = ops.pad(squares, ((0, 0), (size // 2, size // 2), (0, 0)))
    means = ops.average_pool(squares, size, strides=1, padding="valid")
    means = ops.reshape(means, (-1, *x.shape[1:]))
    return x * ops.power(means * alpha + k, -beta)


def lrn_within(x, size, alpha, beta):
    """x / (1 + alpha · mean of x² over `size` by `size` pixels) ** beta, with zeros around the image."""
    half = size // 2
    squares = ops.pad(x * x, ((0, 0), (half, half), (half, half), (0, 0)))
    means = ops.average_pool(squares, (size, size), strides=1, padding="valid")
    return x * ops.power(means * alpha + 1.0, -beta)


def mvn(x, axes, normalize_variance, eps):
    """x less its mean over `axes` and, perhaps, divided by its standard deviation + eps."""
    axes = tuple(axes)
    centred = x - ops.mean(x, axis=axes, keepdims=True)
    if not normalize_variance:
        return centred
    variance = ops.mean(centred * centred, axis=axes, keepdims=True)
    return centred / (ops.sqrt(variance) + eps)


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


def split(x, points, axis):
    """x, cut along an axis."""
    if axis:
        return ops.split(x, list(points), axis=axis)
    return [x[begin:end] for begin, end in zip((0, *points), (*points, None))]


def take_channels(x, order, axis):
    """The elements along an axis in another order."""
    return ops.take(x, ops.convert_to_tensor(list(order)), axis=axis)


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


def arg_max(x, axis, top_k, out_max_val):
    """The indices, or the values, of the largest elements along an axis, in its place."""
    last = len(x.shape) - 1
    order = [each for each in range(last + 1) if each != axis] + [axis]
    values, indices = ops.top_k(ops.transpose(x, order), top_k)
    back = [order.index(each) for each in range(last + 1)]
    return ops.transpose(values if out_max_val else ops.cast(indices, "float32"), back)


def arg_max_of_sample(x, top_k, out_max_val):
    """(N, K) -> (N, 1 or 2, top_k): the indices of the largest elements and, perhaps, the elements behind them."""
    values, indices = ops.top_k(x, top_k)
    indices = ops.cast(indices, "float32")
    return ops.stack([indices, values] if out_max_val else [indices], axis=1)


def reduction(x, operation, axes, coeff):
    """The sum, the mean, the sum of magnitudes or that of squares over axes, times coeff."""
    axes = tuple(axes)
    if operation in ("ASUM", "SUMSQ"):
        x = ops.abs(x) if operation == "ASUM" else x * x
    reduce = ops.mean if operation == "MEAN" else ops.sum
    return reduce(x, axis=axes) * coeff


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


def interpolate(x, height, width, crop):
    """Bilinear, with corner on corner (DeepLab's interp_layer); `crop`: pixels less at the begin and the end."""
    begin, end = crop
    rows, columns = x.shape[1] - begin - end, x.shape[2] - begin - end

    def weights(old, new, whole):
        table = []
        for place in range(new):
            at = place * (old - 1) / (new - 1) if new > 1 else 0.0
            low = min(int(at), old - 1)
            row = [0.0] * whole
            row[begin + low] += 1 - (at - low)
            row[begin + min(low + 1, old - 1)] += at - low
            table.append(row)
        return table

    down = ops.convert_to_tensor(weights(rows, height, x.shape[1]), dtype="float32")
    across = ops.convert_to_tensor(weights(columns, width, x.shape[2]), dtype="float32")
    x = ops.einsum("ah,nhwc->nawc", down, x)
    return ops.einsum("bw,nawc->nabc", across, x)


def im2col(x, kernel, strides, pads, dilations):
    """Every value under a window as a channel: channel · kernel + place in the kernel."""
    x = ops.pad(x, ((0, 0), *((before, after) for before, after in pads), (0, 0)))
    sizes, channels = x.shape[1:-1], x.shape[-1]
    places = list(itertools.product(*map(range, kernel)))
    columns = []
    for place in places:
        part = x
        for axis, at in enumerate(place):
            dilation, stride = dilations[axis], strides[axis]
            room = sizes[axis] - dilation * (kernel[axis] - 1) - 1
            taken = [at * dilation + step for step in range(0, room + 1, stride)]
            part = ops.take(part, ops.convert_to_tensor(taken), axis=axis + 1)
        columns.append(part)
    shape = (-1, *columns[0].shape[1:-1], channels * len(places))
    return ops.reshape(ops.stack(columns, axis=-1), shape)


def take_items(x, indices):
    """Items of a batch, by their indices."""
    return ops.take(x, ops.cast(indices, "int32"), axis=0)


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


def lstm_unit(cell, gates, marks):
    """(1, N, H), (1, N, 4H), (1, N) -> the cell and the hidden state; gates i, f, o, g."""
    size = cell.shape[2]
    into, forget, out, new = ops.split(gates, [size, 2 * size, 3 * size], axis=2)
    kept = ops.expand_dims(marks, 2) * ops.sigmoid(forget) * cell
    cell = kept + ops.sigmoid(into) * ops.tanh(new)
    return [cell, ops.sigmoid(out) * ops.tanh(cell)]


def constant(x, values):
    """The same values whatever x is."""
    return ops.convert_to_tensor(values, dtype="float32")


CLASSES: Mapping[str, Callable[..., Any]] = {
    "Absolute": absolute, "ArgMax": arg_max, "ArgMaxOfSample": arg_max_of_sample,
    "CaffeAveragePooling": average_pooling, "CaffeMaxPooling": max_pooling, "Clip": clip, "Constant": constant,
    "Exponential": exponential, "Flip": flip, "HardSwish": hard_swish, "Im2col": im2col, "Interpolate": interpolate,
    "LRN": lrn, "LRNWithin": lrn_within, "LSTMUnit": lstm_unit, "Logarithm": logarithm, "MVN": mvn,
    "PadLowest": pad_lowest, "Power": power, "PriorBox": prior_box, "ROIPooling": roi_pooling, "Reduction": reduction,
    "ReorderFeatures": reorder_features, "Reorganize": reorganize, "ReshapeAll": reshape, "Split": split,
    "Swish": swish, "TakeAlong": take_channels, "TakeItems": take_items, "Threshold": threshold,
    "TransposeAll": transpose, "WeightedPooling": weighted_pooling,
}  # fmt: skip
"""Class of a written model -> what it computes."""
