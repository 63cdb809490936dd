"""Layers of Caffe and its forks as plain loops over their definition, in Caffe's order of axes."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from caffeconv.model import Array

__all__ = ["convolution", "deconvolution", "lstm", "normalization"]

Sizes = Sequence[int]


def convolution(
    x: Array, weight: Array, bias: Array | None, stride: Sizes, pad: Sizes, dilation: Sizes, group: int = 1
) -> Array:
    """x (N, C, axes…), weight (O, C / group, k…): every output is a sum over a window."""
    padded = np.pad(x.astype(float), [(0, 0), (0, 0), *((p, p) for p in pad)])
    outputs, per_group, *kernel = weight.shape
    sizes = [
        (size - (d * (k - 1) + 1)) // s + 1
        for size, k, s, d in zip(padded.shape[2:], kernel, stride, dilation, strict=True)
    ]
    y = np.zeros((len(x), outputs, *sizes))
    for output in range(outputs):
        first = output // (outputs // group) * per_group
        for place in np.ndindex(*sizes):
            for offset in np.ndindex(*kernel):
                at = tuple(i * s + o * d for i, s, o, d in zip(place, stride, offset, dilation, strict=True))
                seen = padded[(slice(None), slice(first, first + per_group), *at)]
                y[(slice(None), output, *place)] += seen @ weight[(output, slice(None), *offset)]
    return y if bias is None else y + bias.reshape(-1, *[1] * len(kernel))


def deconvolution(
    x: Array, weight: Array, bias: Array | None, stride: Sizes, pad: Sizes, dilation: Sizes, group: int = 1
) -> Array:
    """x (N, C, axes…), weight (C, O / group, k…): every input is spread over a window."""
    inputs, per_group, *kernel = weight.shape
    sizes = [
        s * (size - 1) + d * (k - 1) + 1 for size, k, s, d in zip(x.shape[2:], kernel, stride, dilation, strict=True)
    ]
    y = np.zeros((len(x), per_group * group, *sizes))
    for channel, output in itertools.product(range(inputs), range(per_group)):
        target = channel // (inputs // group) * per_group + output
        for place in np.ndindex(*x.shape[2:]):
            for offset in np.ndindex(*kernel):
                at = tuple(i * s + o * d for i, s, o, d in zip(place, stride, offset, dilation, strict=True))
                value = x[(slice(None), channel, *place)] * weight[(channel, output, *offset)]
                y[(slice(None), target, *at)] += value
    cut = tuple(slice(p, size - p) for p, size in zip(pad, sizes, strict=True))
    y = y[(slice(None), slice(None), *cut)]
    return y if bias is None else y + bias.reshape(-1, *[1] * len(kernel))


def normalization(x: Array, mean: Array, variance: Array, gamma: Array, beta: Array, epsilon: float) -> Array:
    """(x − mean) / √(variance + ε) · gamma + beta, channel by channel."""
    y = np.empty(x.shape)
    for channel in range(x.shape[1]):
        centred = x[:, channel] - mean[channel]
        y[:, channel] = centred / np.sqrt(variance[channel] + epsilon) * gamma[channel] + beta[channel]
    return y


def lstm(x: Array, inputs: Array, recurrent: Array, bias: Array) -> Array:
    """x (T, N, D), matrices (4H, D) and (4H, H), gates in the order input, forget, output, candidate."""
    units = recurrent.shape[1]
    hidden = cell = np.zeros((x.shape[1], units))
    steps = []
    for step in x:
        gates = step @ inputs.T + hidden @ recurrent.T + bias
        i, f, o = (1 / (1 + np.exp(-gates[:, n * units : (n + 1) * units])) for n in range(3))
        cell = f * cell + i * np.tanh(gates[:, 3 * units :])
        hidden = o * np.tanh(cell)
        steps.append(hidden)
    return np.array(steps)
