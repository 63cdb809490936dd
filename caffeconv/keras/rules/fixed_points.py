"""Vitis' numbers of so many bits, with a point at a fixed place in them (caffe-xilinx' `quantize.cpp`)."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from caffeconv.errors import UnsupportedError
from caffeconv.keras.rules.operands import check_size, take
from caffeconv.model import Array, Blob, Layer
from caffeconv.net.shapes.params import optional

__all__ = ["bits_of", "folded_and_rounded", "is_enabled"]

_OVER_FLOW = 0
"""FixedParameter.FixedMethod."""
_LEAST_EPSILON = 1e-5
"""cuDNN's, for a normalization."""


def bits_of(layer: Layer) -> int:
    """How many bits a number has."""
    settings = optional(layer.param, "fixed_param")
    bits = optional(settings, "bit_width") if settings is not None else None
    if bits is None:
        return 8
    if not 1 <= bits <= 32:
        raise UnsupportedError(f"numbers of {bits} bits")
    return int(bits)


def is_enabled(layer: Layer) -> bool:
    """Whether anything is rounded."""
    settings = optional(layer.param, "fixed_param")
    return settings is None or bool(settings.enable)


def folded_and_rounded(layer: Layer) -> Layer:
    """W (O, …), scale, bias, mean, variance (O each) -> W and b, with the normalization folded in and then rounded.

    `cudnn_conv_bn_fixed_layer.cu`; eps is at least cuDNN's.
    """
    weight, *vectors = take(layer, 5)
    for vector in vectors:
        check_size("normalization's array", vector, weight.shape[0])
    scale, bias, mean, variance = (vector.reshape(-1).astype(np.float32) for vector in vectors)
    factor = scale / np.sqrt(variance + np.float32(max(layer.param.batch_norm_param.eps, _LEAST_EPSILON)))
    arrays = weight * factor.reshape(-1, *[1] * (weight.ndim - 1)), bias - mean * factor
    if is_enabled(layer):
        arrays = tuple(_rounded(array, bits_of(layer), _method(layer)) for array in arrays)  # type: ignore[assignment]
    return dataclasses.replace(layer, blobs=tuple(map(Blob, arrays)))


def _method(layer: Layer) -> int:
    settings = optional(layer.param, "fixed_param")
    return _OVER_FLOW if settings is None else int(settings.fixed_method)


def _rounded(array: Array, bits: int, method: int) -> Array:
    """To the finest steps, powers of 2, whose range holds all numbers, with half a step to spare."""
    if method != _OVER_FLOW:
        raise UnsupportedError(
            "its numbers are rounded with the least error that Vitis finds (fixed_method is not OVER_FLOW), by a "
            "search that is not known here: convert the net that Vitis deploys, where they are rounded already"
        )
    most = 2.0 ** (bits - 1)
    coarsest = max(float(array.min()) / (-most - 0.5), float(array.max()) / (most - 0.5))
    if not (0 < coarsest < math.inf):
        return array
    step = np.float32(2.0 ** -math.floor(math.log2(1 / coarsest)))
    ratio = array / step
    rounded = np.sign(ratio) * np.floor(np.abs(ratio) + np.float32(0.5)) * step
    return np.asarray(np.clip(rounded, -most * step, most * step - step), np.float32)
