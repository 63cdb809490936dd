"""Array transforms from Caffe's layout to Keras'. Views wherever no arithmetic is needed; no layer, no options.

Blob orders are fixed by the files of Caffe's `src/caffe/layers`; Keras' by the `build` methods of its layers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from caffeconv.errors import UnsupportedError
from caffeconv.model import Array, Shape, Weight

__all__ = [
    "broadcast_alpha", "convolution_kernel", "dense_kernel", "depthwise_kernel", "dilated_kernel",
    "features_channels_last", "gate_rows", "grouped_to_dense", "statistics", "vector",
]  # fmt: skip

_LARGEST_EXPANSION = 1 << 28  # values: 1 GiB, far beyond any real layer


def _weight(name: str, view: Array, shape: Shape | None = None) -> Weight:
    return Weight(name, view, view.shape if shape is None else shape)


def vector(name: str, blob: Array) -> Weight:
    """Any shape with n values -> (n,). Old files hold biases as (1, 1, 1, n)."""
    return _weight(name, np.atleast_1d(blob), (blob.size,))


def convolution_kernel(blob: Array) -> Weight:
    """(out, in/group, k…) -> (k…, in/group, out), no flip: both correlate (`base_conv_layer.cpp`).

    A Deconvolution's (in, out, k…) becomes the (k…, out, in) of Keras' transposed convolution by the same rule.
    """
    return _weight("kernel", np.transpose(blob, (*range(2, blob.ndim), 1, 0)))


def depthwise_kernel(blob: Array, channels: int) -> Weight:
    """(channels·multiplier, 1, k…) -> (k…, channels, multiplier); output channel c·multiplier+m in both."""
    kernel = blob.shape[2:]
    split = blob.reshape(channels, -1, *kernel)
    return _weight("depthwise_kernel", np.transpose(split, (*range(2, split.ndim), 0, 1)))


def grouped_to_dense(blob: Array, groups: int) -> Array:
    """(in, out/group, k…) -> (in, out, k…), zero outside the blocks of each group.

    Keras' transposed convolutions have no groups (`deconv_layer.cpp`: group g of the input makes group g of the
    output).

    Raises:
        UnsupportedError: the result would be too large.
    """
    inputs, outputs = blob.shape[:2]
    dense = _zeros((inputs, outputs * groups, *blob.shape[2:]))
    step = inputs // groups
    for group in range(groups):
        rows = slice(group * step, (group + 1) * step)
        dense[rows, group * outputs : (group + 1) * outputs] = blob[rows]
    return dense


def dilated_kernel(blob: Array, dilations: Sequence[int]) -> Array:
    """(a, b, k…) -> (a, b, d·(k − 1) + 1 …), with zeros between the values, as dilation means it.

    Raises:
        UnsupportedError: the result would be too large.
    """
    extents = (step * (size - 1) + 1 for size, step in zip(blob.shape[2:], dilations, strict=True))
    spread = _zeros((*blob.shape[:2], *extents))
    values = (slice(None), slice(None), *(slice(None, None, step) for step in dilations))
    spread[values] = blob
    return spread


def _zeros(shape: Shape) -> Array:
    if math.prod(shape) > _LARGEST_EXPANSION:
        raise UnsupportedError(f"a kernel that zeros would expand to shape {shape}")
    return np.zeros(shape, np.float32)


def dense_kernel(blob: Array, transposed: bool, segments: Sequence[Shape], name: str = "kernel") -> Weight:
    """(out, in), or (in, out) if `transposed` -> (in, out), rows reordered for inputs flattened channels-last.

    `segments` are the (C, axes…) shapes that make up the input (`inner_product_layer.cpp` flattens C first); none
    means that the order stays. One segment gives a view with its axes apart: (axes…, C, out).

    Raises:
        UnsupportedError: the segments do not add up to the input.
    """
    matrix = blob if transposed else blob.T
    if not segments:
        return _weight(name, matrix)
    sizes = [math.prod(segment) for segment in segments]
    if sum(sizes) != matrix.shape[0] or min(sizes) < 1:
        shapes = " + ".join("×".join(map(str, segment)) for segment in segments)
        raise UnsupportedError(f"its input has {matrix.shape[0]} features, but {shapes} are {sum(sizes)}")
    ends = np.cumsum(sizes)
    parts = [
        _channels_last(matrix[end - size : end], segment)
        for end, size, segment in zip(ends, sizes, segments, strict=True)
    ]
    if len(parts) == 1:
        return _weight(name, parts[0], matrix.shape)
    return _weight(name, np.concatenate([part.reshape(-1, matrix.shape[1]) for part in parts]))


def _channels_last(rows: Array, segment: Shape) -> Array:
    """(C·axes, out) -> (axes…, C, out)."""
    apart = _split_rows(rows, segment)
    return np.moveaxis(apart, 0, len(segment) - 1)


def _split_rows(rows: Array, segment: Shape) -> Array:
    """(C·axes, out) -> (C, axes…, out) without a copy, whatever the strides of the rows."""
    step, *rest = rows.strides
    strides = [step * math.prod(segment[axis + 1 :]) for axis in range(len(segment))]
    return np.lib.stride_tricks.as_strided(rows, (*segment, *rows.shape[1:]), (*strides, *rest), writeable=False)


def features_channels_last(weight: Weight, segments: Sequence[Shape]) -> Weight:
    """A value for each feature, in the order of inputs flattened channels-last; a single one for all stays.

    Raises:
        UnsupportedError: the segments do not add up to the features.
    """
    sizes = [math.prod(segment) for segment in segments]
    values = weight.view.reshape(-1)
    if values.size == 1:
        return weight
    if sum(sizes) != values.size:
        raise UnsupportedError(f"its input has {values.size} features, the flattened shapes {segments} {sum(sizes)}")
    parts = np.split(values, np.cumsum(sizes)[:-1])
    turned = [np.moveaxis(part.reshape(shape), 0, -1).ravel() for part, shape in zip(parts, segments, strict=True)]
    return _weight(weight.name, np.concatenate(turned).reshape(weight.shape))


def statistics(mean: Array, variance: Array, factor: Array | None) -> tuple[Weight, Weight]:
    """(C), (C), (1) -> moving_mean (C), moving_variance (C), both divided by the factor; factor 0 gives zeros.

    `batch_norm_layer.cpp`: the blobs are sums, weighted by a moving average whose weights add up to the factor.
    """
    scale = np.float32(1)
    if factor is not None:
        stored = np.float32(factor.reshape(-1)[0])
        scale = np.float32(0) if stored == 0 else np.float32(1) / stored
    return tuple(  # type: ignore[return-value]
        vector(name, blob if scale == 1 else blob.astype(np.float32) * scale)
        for name, blob in (("moving_mean", mean), ("moving_variance", variance))
    )


def broadcast_alpha(blob: Array, rank: int, first: bool) -> Weight:
    """(C) or () -> (1, …, C), or (C, 1, …) if `first`, for `rank` axes behind the batch; one value -> (1, …, 1)."""
    ones = [1] * (rank - 1)
    return _weight("alpha", blob.reshape(-1, *ones) if first else blob.reshape(*ones, -1))


def gate_rows(blob: Array, order: Sequence[int]) -> Array:
    """(gates·H, …) -> the same with the gates in another order."""
    gates = blob.reshape(len(order), -1, *blob.shape[1:])
    return gates[list(order)].reshape(blob.shape)
