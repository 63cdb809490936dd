"""What layers of Caffe compute that no layer of Keras does, as functions of channels-last tensors.

Each takes `ops` first: `keras.ops`, its like for Keras 2, or NumPy's like in the tests. A model that is written as
Python holds the source of those that it uses, each in a class of its name (`CLASSES`); in a model that is written as
an archive they are taken apart into Keras' own operations. So they use nothing but `ops`, Python's numbers, `math`, and
the operators of tensors.

Sources: the files of `src/caffe/layers` of Caffe 1.0, or of the fork that is named.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

__all__ = ["CLASSES"]

Tensor: TypeAlias = Any

LOWEST = -3.4028234663852886e38  # of float32: what Caffe's maximum begins with


def absolute(ops: Any, x: Tensor) -> Tensor:
    """|x|."""
    return ops.abs(x)


def power(ops: Any, x: Tensor, power: float, scale: float, shift: float) -> Tensor:
    """(shift + scale·x) ** power."""
    return ops.power(x * scale + shift, power)


def exponential(ops: Any, x: Tensor, factor: float, offset: float) -> Tensor:
    """e ** (factor·x + offset)."""
    return ops.exp(x * factor + offset)


def logarithm(ops: Any, x: Tensor, factor: float, scale: float, shift: float) -> Tensor:
    """factor · ln(shift + scale·x)."""
    return ops.log(x * scale + shift) * factor


def clip(ops: Any, x: Tensor, low: float, high: float) -> Tensor:
    """x, between low and high."""
    return ops.minimum(ops.maximum(x, low), high)


def threshold(ops: Any, x: Tensor, threshold: float) -> Tensor:
    """1 where x is greater, else 0."""
    return ops.cast(ops.greater(x, threshold), "float32")


def swish(ops: Any, x: Tensor, beta: float) -> Tensor:
    """x · sigmoid(beta·x)."""
    return x * ops.sigmoid(x * beta)


def hard_swish(ops: Any, x: Tensor) -> Tensor:
    """x · min(max(x + 3, 0), 6) / 6."""
    return x * ops.minimum(ops.maximum(x + 3.0, 0.0), 6.0) * (1 / 6)


def lrn(ops: Any, x: Tensor, size: int, alpha: float, beta: float, k: float) -> Tensor:
    """x / (k + alpha · mean of x² over `size` neighbouring channels) ** beta, with zeros beyond the last channels."""
    squares = ops.reshape(x * x, (-1, x.shape[-1], 1))
    squares = ops.pad(squares, ((0, 0), (size // 2, size // 2), (0, 0)))
    means = ops.average_pool(squares, size, strides=1, padding="valid")
    means = ops.reshape(means, (-1, *x.shape[1:]))
    return x * ops.power(means * alpha + k, -beta)


def lrn_within(ops: Any, x: Tensor, size: int, alpha: float, beta: float) -> Tensor:
    """x / (1 + alpha · mean of x² over `size` by `size` pixels) ** beta, with zeros around the image."""
    half = size // 2
    squares = ops.pad(x * x, ((0, 0), (half, half), (half, half), (0, 0)))
    means = ops.average_pool(squares, (size, size), strides=1, padding="valid")
    return x * ops.power(means * alpha + 1.0, -beta)


def mvn(ops: Any, x: Tensor, axes: Sequence[int], normalize_variance: bool, eps: float) -> Tensor:
    """x less its mean over `axes` and, perhaps, divided by its standard deviation + eps."""
    axes = tuple(axes)
    centred = x - ops.mean(x, axis=axes, keepdims=True)
    if not normalize_variance:
        return centred
    return centred / (ops.sqrt(ops.mean(centred * centred, axis=axes, keepdims=True)) + eps)


def pad_lowest(ops: Any, x: Tensor, pads: Sequence[Sequence[int]]) -> Tensor:
    """x between values that no maximum takes; `pads` are those of the axes behind the batch, but for the last."""
    widths = ((0, 0), *((before, after) for before, after in pads), (0, 0))
    return ops.pad(x, widths, constant_values=-3.4028234663852886e38)


def average_pooling(
    ops: Any, x: Tensor, pool_size: Sequence[int], strides: Sequence[int], pads: Sequence[Sequence[int]], ceil: bool
) -> Tensor:
    """Means over windows, each of as many values as it has in the padded image, beyond which it may stick out.

    `pads` are Caffe's, before and behind each axis; what is put behind them does not count.
    """
    sizes, counts, widths = x.shape[1:-1], 1.0, [(0, 0)]
    padded = any(before or after for before, after in pads)
    for axis, (size, kernel, stride, (before, after)) in enumerate(zip(sizes, pool_size, strides, pads, strict=True)):
        end = size + before + after
        windows = -(-(end - kernel) // stride) + 1 if ceil else (end - kernel) // stride + 1
        if padded and (windows - 1) * stride >= size + before:
            windows -= 1
        beyond = max((windows - 1) * stride + kernel - end, 0)
        widths.append((before, after + beyond))
        inside = [kernel / max(1, min(kernel, end - start * stride)) for start in range(windows)]
        behind = [1] * (len(sizes) - axis)
        counts = counts * ops.reshape(ops.convert_to_tensor(inside, dtype="float32"), (-1, *behind))
    x = ops.pad(x, (*widths, (0, 0)))
    return ops.average_pool(x, tuple(pool_size), strides=tuple(strides), padding="valid") * counts


def max_pooling(
    ops: Any, x: Tensor, pool_size: Sequence[int], strides: Sequence[int], pads: Sequence[Sequence[int]], ceil: bool
) -> Tensor:
    """Maxima over windows, of which the last may stick out of the padded image."""
    widths = [(0, 0)]
    padded = any(before or after for before, after in pads)
    for size, kernel, stride, (before, after) in zip(x.shape[1:-1], pool_size, strides, pads, strict=True):
        end = size + before + after
        windows = -(-(end - kernel) // stride) + 1 if ceil else (end - kernel) // stride + 1
        if padded and (windows - 1) * stride >= size + before:
            windows -= 1
        widths.append((before, after + max((windows - 1) * stride + kernel - end, 0)))
    x = ops.pad(x, (*widths, (0, 0)), constant_values=-3.4028234663852886e38)
    return ops.max_pool(x, tuple(pool_size), strides=tuple(strides), padding="valid")


def weighted_pooling(ops: Any, x: Tensor, pool_size: Sequence[int], strides: Sequence[int]) -> Tensor:
    """Σx² / Σx over windows: what stochastic pooling does when it is not trained."""
    sums = ops.average_pool(x, tuple(pool_size), strides=tuple(strides), padding="valid")
    squares = ops.average_pool(x * x, tuple(pool_size), strides=tuple(strides), padding="valid")
    return squares / sums


def split(ops: Any, x: Tensor, points: Sequence[int], axis: int) -> Sequence[Tensor]:
    """x, cut along an axis."""
    parts: Sequence[Tensor] = ops.split(x, list(points), axis=axis)
    return parts


def take_channels(ops: Any, x: Tensor, order: Sequence[int], axis: int) -> Tensor:
    """The elements along an axis in another order."""
    return ops.take(x, list(order), axis=axis)


def flip(ops: Any, x: Tensor, axis: int) -> Tensor:
    """x with an axis the other way round."""
    return ops.flip(x, axis=axis)


def transpose(ops: Any, x: Tensor, axes: Sequence[int]) -> Tensor:
    """x with its axes in another order, the batch among them."""
    return ops.transpose(x, tuple(axes))


def reshape(ops: Any, x: Tensor, shape: Sequence[int]) -> Tensor:
    """x in another shape, the batch among it."""
    return ops.reshape(x, tuple(shape))


def reorder_features(ops: Any, x: Tensor, segments: Sequence[Sequence[int]]) -> Tensor:
    """Flattened maps (axes…, C) one behind the other, each in Caffe's order (C, axes…)."""
    parts, start = [], 0
    ends = []
    for segment in segments:
        start += math.prod(segment)
        ends.append(start)
    for part, (channels, *axes) in zip(ops.split(x, ends[:-1], axis=1), segments, strict=True):
        maps = ops.reshape(part, (-1, *axes, channels))
        turned = ops.transpose(maps, (0, len(axes) + 1, *range(1, len(axes) + 1)))
        parts.append(ops.reshape(turned, (-1, channels * math.prod(axes))))
    return ops.concatenate(parts, axis=1)


def arg_max(ops: Any, x: Tensor, axis: int, top_k: int, out_max_val: bool) -> Tensor:
    """The indices, or the values, of the largest elements along an axis, in its place."""
    last = len(x.shape) - 1
    order = [each for each in range(last + 1) if each != axis] + [axis]
    values, indices = ops.top_k(ops.transpose(x, order), top_k)
    back = [order.index(each) for each in range(last + 1)]
    return ops.transpose(values if out_max_val else ops.cast(indices, "float32"), back)


def arg_max_of_sample(ops: Any, x: Tensor, top_k: int, out_max_val: bool) -> Tensor:
    """(N, K) -> (N, 1 or 2, top_k): the indices of the largest elements and, perhaps, the elements behind them."""
    values, indices = ops.top_k(x, top_k)
    indices = ops.cast(indices, "float32")
    return ops.stack([indices, values], axis=1) if out_max_val else ops.expand_dims(indices, 1)


def reduction(ops: Any, x: Tensor, operation: str, axes: Sequence[int], coeff: float) -> Tensor:
    """The sum, the mean, the sum of magnitudes or that of squares over axes, times coeff."""
    axes = tuple(axes)
    if operation == "ASUM":
        x = ops.abs(x)
    if operation == "SUMSQ":
        x = x * x
    return (ops.mean(x, axis=axes) if operation == "MEAN" else ops.sum(x, axis=axes)) * coeff


def reorganize(ops: Any, x: Tensor, stride: int, reverse: bool) -> Tensor:
    """YOLO's Reorg: each block of pixels in channels, or back (reorg_layer of MobileNet-YOLO)."""
    _, height, width, channels = x.shape
    x = ops.transpose(x, (0, 3, 1, 2))
    if reverse:
        small = channels // stride**2
        x = ops.reshape(x, (-1, stride, stride, small, height, width))
        x = ops.transpose(x, (0, 3, 4, 1, 5, 2))
        x = ops.reshape(x, (-1, small, height * stride, width * stride))
    else:
        x = ops.reshape(x, (-1, channels, height // stride, stride, width // stride, stride))
        x = ops.transpose(x, (0, 3, 5, 1, 2, 4))
        x = ops.reshape(x, (-1, channels * stride**2, height // stride, width // stride))
    return ops.transpose(x, (0, 2, 3, 1))


def interpolate(ops: Any, x: Tensor, height: int, width: int, crop: Sequence[int]) -> Tensor:
    """Bilinear, with corner on corner (DeepLab's interp_layer); `crop`: pixels less at the begin and the end."""
    begin, end = crop
    rows, columns = x.shape[1] - begin - end, x.shape[2] - begin - end

    def weights(old: int, new: int, whole: int) -> list[list[float]]:
        table = []
        for place in range(new):
            at = place * (old - 1) / (new - 1) if new > 1 else 0.0
            low = min(int(at), old - 1)
            high = min(low + 1, old - 1)
            row = [0.0] * whole
            row[begin + low] += 1 - (at - low)
            row[begin + high] += at - low
            table.append(row)
        return table

    down = ops.convert_to_tensor(weights(rows, height, x.shape[1]), dtype="float32")
    across = ops.convert_to_tensor(weights(columns, width, x.shape[2]), dtype="float32")
    x = ops.einsum("ah,nhwc->nawc", down, x)
    return ops.einsum("bw,nawc->nabc", across, x)


def im2col(
    ops: Any, x: Tensor, kernel: Sequence[int], strides: Sequence[int], pads: Sequence[Sequence[int]],
    dilations: Sequence[int],
) -> Tensor:  # fmt: skip
    """Every value under a window as a channel: channel · kernel + place in the kernel."""
    x = ops.pad(x, ((0, 0), *((before, after) for before, after in pads), (0, 0)))
    sizes, channels = x.shape[1:-1], x.shape[-1]
    places: list[list[int]] = [[]]
    for size in kernel:
        places = [[*place, at] for place in places for at in range(size)]
    columns = []
    for place in places:
        part = x
        for axis, at in enumerate(place):
            count = (sizes[axis] - dilations[axis] * (kernel[axis] - 1) - 1) // strides[axis] + 1
            taken = [at * dilations[axis] + step * strides[axis] for step in range(count)]
            part = ops.take(part, taken, axis=axis + 1)
        columns.append(part)
    stacked = ops.stack(columns, axis=-1)
    return ops.reshape(stacked, (-1, *columns[0].shape[1:-1], channels * len(places)))


def take_items(ops: Any, x: Tensor, indices: Tensor) -> Tensor:
    """Items of a batch, by their indices."""
    return ops.take(x, ops.cast(indices, "int32"), axis=0)


def lstm_unit(ops: Any, cell: Tensor, gates: Tensor, marks: Tensor) -> Sequence[Tensor]:
    """(1, N, H), (1, N, 4H), (1, N) -> the cell and the hidden state; gates i, f, o, g."""
    size = cell.shape[2]
    into, forget, out, new = ops.split(gates, [size, 2 * size, 3 * size], axis=2)
    kept = ops.expand_dims(marks, 2) * ops.sigmoid(forget) * cell
    cell = kept + ops.sigmoid(into) * ops.tanh(new)
    return [cell, ops.sigmoid(out) * ops.tanh(cell)]


def constant(ops: Any, x: Tensor, values: Sequence[Any]) -> Tensor:
    """The same values whatever x is."""
    return ops.convert_to_tensor(values, dtype="float32")


CLASSES: Mapping[str, Callable[..., Any]] = {
    "Absolute": absolute,
    "ArgMax": arg_max,
    "ArgMaxOfSample": arg_max_of_sample,
    "CaffeAveragePooling": average_pooling,
    "CaffeMaxPooling": max_pooling,
    "Clip": clip,
    "Constant": constant,
    "Exponential": exponential,
    "Flip": flip,
    "HardSwish": hard_swish,
    "Im2col": im2col,
    "Interpolate": interpolate,
    "LRN": lrn,
    "LRNWithin": lrn_within,
    "LSTMUnit": lstm_unit,
    "Logarithm": logarithm,
    "MVN": mvn,
    "PadLowest": pad_lowest,
    "Power": power,
    "Reduction": reduction,
    "ReorderFeatures": reorder_features,
    "Reorganize": reorganize,
    "ReshapeAll": reshape,
    "Split": split,
    "Swish": swish,
    "TakeAlong": take_channels,
    "TakeItems": take_items,
    "Threshold": threshold,
    "TransposeAll": transpose,
    "WeightedPooling": weighted_pooling,
}
"""Class of a written model -> what it computes."""
