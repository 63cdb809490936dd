"""Layers of forks as plain loops over the C++ that defines them, in Caffe's order of axes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from caffeconv.model import Array

__all__ = [
    "distances", "divided_below", "folded_and_rounded", "layer_norm", "locally_connected", "most_likely",
    "moving_normalize", "on_steps", "scaled_pixels", "sloped",
]  # fmt: skip


def locally_connected(kernel_size: int, stride: int = 1, pad: int = 0) -> Callable[..., Array]:
    """happynear's `local_layer.cpp`: columns, times a kernel (O, 1, C·k·k, places) place by place, and summed up."""

    def compute(x: Array, kernel: Array, bias: Array | None = None) -> Array:
        padded = np.pad(x.astype(float), ((0, 0), (0, 0), (pad, pad), (pad, pad)))
        rows, columns = ((size - kernel_size) // stride + 1 for size in padded.shape[2:])
        y = np.zeros((len(x), len(kernel), rows, columns))
        for n, out, row, column in np.ndindex(*y.shape):
            place = row * columns + column
            for c, h, w in np.ndindex(x.shape[1], kernel_size, kernel_size):
                value = padded[n, c, row * stride + h, column * stride + w]
                y[n, out, row, column] += value * kernel[out, 0, (c * kernel_size + h) * kernel_size + w, place]
            if bias is not None:
                y[n, out, row, column] += bias[0, 0, out, place]
        return y

    return compute


def layer_norm(epsilon: float) -> Callable[..., Array]:
    """Synopsys' `layer_norm_layer.cpp`: over all of a sample; then a slope and an offset for each of its values."""

    def compute(x: Array, gamma: Array | None = None, beta: Array | None = None) -> Array:
        y = np.zeros(x.shape)
        for n, sample in enumerate(x.astype(float)):
            mean = sum(sample.ravel()) / sample.size
            variance = sum((value - mean) ** 2 for value in sample.ravel()) / sample.size
            y[n] = (sample - mean) / math.sqrt(variance + epsilon)
        return y if gamma is None or beta is None else y * gamma + beta

    return compute


def moving_normalize(x: Array, scale: Array) -> tuple[Array, Array]:
    """happynear's `moving_normalize_layer.cu`, for vectors: the first batch behind a stored norm."""
    norms = [math.sqrt(sum(float(value) ** 2 for value in row.ravel()) + 1e-12) for row in x]
    mean, stored = sum(norms) / len(norms), float(scale.ravel()[0])
    moved = mean if stored < 0 else stored * 0.99 + mean * 0.01
    return x / moved, np.array([moved])


def sloped(x: Array, slope: Array, offset: Array) -> Array:
    """happynear's `eltwise_affine_layer.cpp`."""
    y = np.zeros(x.shape)
    for at in np.ndindex(*x.shape):
        c = at[1] if slope.size > 1 else 0
        y[at] = x[at] * slope.ravel()[c] + offset.ravel()[c]
    return y


def scaled_pixels(x: Array, scale: Array) -> Array:
    """happynear's `channel_scale_layer.cpp` without a global scale."""
    y, flat = np.zeros(x.shape), scale.reshape(len(x), *x.shape[2:])
    for n, c, *place in np.ndindex(*x.shape):
        y[(n, c, *place)] = x[(n, c, *place)] * flat[(n, *place)]
    return y


def distances(kind: str, normalize: bool = False) -> Callable[..., Array]:
    """happynear's `inner_distance_layer.cpp`."""

    def compute(x: Array, centers: Array, bias: Array | None = None) -> Array:
        y = np.zeros((len(x), len(centers)))
        for m, n in np.ndindex(*y.shape):
            center = centers[n].astype(float)
            if normalize:
                center = center / math.sqrt(sum(center**2) + 1e-6)
            for value, other in zip(x[m].ravel(), center, strict=True):
                y[m, n] += (value - other) ** 2 if kind == "L2" else abs(value - other)
        return y if bias is None else y + bias

    return compute


def divided_below(low: float, high: float) -> Callable[[Array], Array]:
    """`rrelu_layer.cpp`, `insanity_layer.cpp`: below 0 divided by mean_slope when it is not trained."""
    mean_slope = (high - low) / (math.log(abs(high)) - math.log(abs(low)))
    return lambda x: np.maximum(x, 0) + np.minimum(x, 0) / mean_slope


def on_steps(bits: int, point: int, truncated: bool = False) -> Callable[..., Array]:
    """Vitis' `fixed_neuron_layer.cpp` in TEST: caffe_cpu_top_fix, or caffe_cpu_trunc."""
    step = 2.0**-point

    def one(value: float) -> float:
        if truncated:
            return int(value / step) * step
        ratio = value / step
        half_below = ratio < 0 and ratio - math.floor(ratio) == 0.5
        whole = math.ceil(ratio) if half_below else math.copysign(math.floor(abs(ratio) + 0.5), ratio)
        return min(max(whole * step, -(2.0 ** (bits - 1)) * step), 2.0 ** (bits - 1) * step - step)

    return lambda x, *_: np.vectorize(one)(x.astype(float))


def most_likely(x: Array) -> tuple[Array, Array]:
    """ParseNet's `parse_output_layer.cpp`: the first of the greatest channels, and its value."""
    labels, values = np.zeros((len(x), 1, *x.shape[2:])), x[:, :1].astype(float)
    for n, c, h, w in np.ndindex(*x.shape):
        if x[n, c, h, w] > values[n, 0, h, w]:
            values[n, 0, h, w], labels[n, 0, h, w] = x[n, c, h, w], c
    return labels, values


def folded_and_rounded(convolution: Callable[..., Array], bits: int, enabled: bool = True) -> Callable[..., Any]:
    """Vitis' `cudnn_conv_bn_fixed_layer.cu` in TEST, with `quantize.cpp`: caffe_cpu_fix_pos_overflow, caffe_cpu_fix."""

    def fixed(array: Array) -> Array:
        low, high = -(2 ** (bits - 1)) - 0.5, 2 ** (bits - 1) - 0.5
        point = math.floor(math.log2(1 / max(array.min() / low, array.max() / high)))
        step, fixed = 2.0**-point, np.zeros(array.shape)
        for at in np.ndindex(*array.shape):
            ratio = float(array[at]) / step
            whole = math.copysign(math.floor(abs(ratio) + 0.5), ratio)
            fixed[at] = min(max(whole * step, -(2 ** (bits - 1)) * step), 2 ** (bits - 1) * step - step)
        return fixed

    def compute(x: Array, weight: Array, scale: Array, bias: Array, mean: Array, variance: Array) -> Array:
        kernel, offset = weight.astype(float), np.zeros(len(weight))
        for out in range(len(weight)):
            factor = scale.ravel()[out] / math.sqrt(variance.ravel()[out] + 1e-5)
            kernel[out] *= factor
            offset[out] = bias.ravel()[out] - mean.ravel()[out] * factor
        return convolution(x, fixed(kernel), fixed(offset)) if enabled else convolution(x, kernel, offset)

    return compute
