"""BatchNorm in its dialects, Scale, Bias: everything that becomes a BatchNormalization; and SSD's Normalize."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from caffeconv.errors import UnsupportedError
from caffeconv.model import Array, KerasCall, Layer, Weight
from caffeconv.rules.arrays import statistics, vector
from caffeconv.rules.record import Context, Parts

__all__ = ["batch_norm", "bias", "channel_count", "fork_batch_norm", "normalize", "scale"]

_KERAS_EPSILON = 1e-3
_CAFFE_EPSILON = 1e-5


def batch_norm(layer: Layer, context: Context) -> Parts:
    """mean (C), variance (C), factor (1) -> [gamma, beta,] moving_mean, moving_variance (`batch_norm_layer.cpp`).

    Forks store scale and shift in the same layer: five blobs, told apart by which one has a single element.
    """
    param = layer.param.batch_norm_param
    blobs = [blob.array for blob in layer.blobs]
    single = [blob.size == 1 for blob in blobs]
    gamma = beta = factor = None
    if len(blobs) == 2:
        return _folded(layer, blobs)
    if len(blobs) == 3:
        mean, variance, factor = blobs
    elif len(blobs) == 4 and single[2] and not single[3]:
        mean, variance, factor, gamma = blobs
    elif len(blobs) == 4:
        gamma, beta, mean, variance = blobs
    elif len(blobs) == 5 and single[4] and not single[2]:
        gamma, beta, mean, variance = blobs[:4]
    elif len(blobs) == 5 and blobs[0].ndim == 4 and single[2] and blobs[0].shape[0] == 1:
        gamma, beta, _, mean, variance = blobs
    elif len(blobs) == 5 and single[2]:
        mean, variance, factor, gamma, beta = blobs
    else:
        raise UnsupportedError(f"{len(blobs)} blobs, which is no known form of {layer.type}")
    return _assemble(layer, context, param.eps, (gamma, beta), (mean, variance, factor))


def fork_batch_norm(layer: Layer, context: Context) -> Parts:
    """BN of SegNet (scale, shift) and of yjxiong, PSPNet, happynear (scale, shift, mean, variance)."""
    blobs = [blob.array for blob in layer.blobs]
    if len(blobs) == 2:
        return _folded(layer, blobs)
    if len(blobs) != 4:
        raise UnsupportedError(f"{len(blobs)} blobs, which is no known form of {layer.type}")
    gamma, beta, mean, variance = blobs
    epsilon = layer.param.bn_param.eps if layer.param.bn_param.HasField("eps") else _CAFFE_EPSILON
    return _assemble(layer, context, epsilon, (gamma, beta), (mean, variance, None))


def _assemble(
    layer: Layer,
    context: Context,
    epsilon: float,
    own: tuple[Array | None, Array | None],
    stored: tuple[Array, Array, Array | None],
) -> Parts:
    gamma, beta = own
    notes: list[str] = []
    warnings: list[str] = []
    if context.scale is not None:
        scales = [blob.array for blob in context.scale.blobs]
        gamma, beta = _after(gamma, beta, scales[0], scales[1] if len(scales) > 1 else None)
        notes.append(f"fused with {context.scale.name} (Scale) into one BatchNormalization")
    if stored[2] is not None and stored[2].reshape(-1)[0] == 0:
        warnings.append("its moving-average factor is 0, so mean and variance are zeros, as in Caffe")
    weights = (*_optional("gamma", gamma), *_optional("beta", beta), *statistics(*stored))
    return Parts(
        _batch_normalization(layer, weights, round_epsilon(epsilon)),
        weights,
        notes=tuple(notes),
        warnings=tuple(warnings),
    )


def round_epsilon(value: float) -> float:
    """A float32 field as the decimal number that was written: 9.999999747378752e-06 is 1e-05."""
    return float(np.format_float_positional(np.float32(value), unique=True))


def _after(gamma: Array | None, beta: Array | None, scale: Array, shift: Array | None) -> tuple[Array, Array | None]:
    """One affine map after another: (x·gamma + beta)·scale + shift."""
    scale = scale.reshape(-1)
    if gamma is None:
        return scale, shift
    moved = None if beta is None else beta.reshape(-1) * scale
    both = moved + shift.reshape(-1) if moved is not None and shift is not None else moved if shift is None else shift
    return gamma.reshape(-1) * scale, both


def _optional(name: str, blob: Array | None) -> tuple[Weight, ...]:
    return () if blob is None else (vector(name, blob),)


def _batch_normalization(layer: Layer, weights: Sequence[Weight], epsilon: float) -> KerasCall:
    names = {weight.name for weight in weights}
    arguments: list[tuple[str, object]] = [("epsilon", epsilon)]
    arguments += [(argument, False) for argument, name in (("center", "beta"), ("scale", "gamma")) if name not in names]
    return KerasCall("BatchNormalization", tuple(arguments))


def _folded(layer: Layer, blobs: Sequence[Array]) -> Parts:
    """Two blobs: statistics were folded into scale and shift, y = x·scale + shift."""
    parts = _affine(layer, blobs[0].reshape(-1), blobs[1].reshape(-1))
    warning = "stores scale and shift only, taken as statistics already folded in (y = x·scale + shift)"
    return Parts(parts.keras, parts.weights, warnings=(warning,))


def _affine(layer: Layer, gamma: Array | None, beta: Array | None) -> Parts:
    """y = x·gamma + beta as a BatchNormalization whose statistics do nothing: mean 0, variance 1 − epsilon."""
    values = gamma if gamma is not None else beta
    size = 0 if values is None else values.size
    weights = (
        *_optional("gamma", gamma),
        *_optional("beta", beta),
        Weight("moving_mean", np.zeros(size, np.float32), (size,)),
        Weight("moving_variance", np.full(size, 1 - _KERAS_EPSILON, np.float32), (size,)),
    )
    note = "written as a BatchNormalization that only scales and shifts: mean 0, variance 1 - epsilon"
    return Parts(_batch_normalization(layer, weights, _KERAS_EPSILON), weights, notes=(note,))


def scale(layer: Layer, _: Context) -> Parts:
    """gamma [, beta] of shape bottom[axis:axis+num_axes] (`scale_layer.cpp`); with two bottoms beta only."""
    blobs = [blob.array for blob in layer.blobs]
    if len(layer.bottoms) > 1:
        return _affine(layer, None, _per_channel(layer, blobs[0], layer.param.scale_param.axis))
    gamma, beta = blobs[0], blobs[1] if len(blobs) > 1 else None
    axis = layer.param.scale_param.axis
    return _affine(
        layer, _per_channel(layer, gamma, axis), None if beta is None else _per_channel(layer, beta, axis)
    )


def bias(layer: Layer, _: Context) -> Parts:
    """One blob of shape bottom[axis:axis+num_axes] (`bias_layer.cpp`)."""
    return _affine(layer, None, _per_channel(layer, layer.blobs[0].array, layer.param.bias_param.axis))


def _per_channel(layer: Layer, blob: Array, axis: int) -> Array:
    """The array as one value a channel, (C): a scalar is repeated.

    Raises:
        UnsupportedError: it lies along other axes than the channels, or the number of channels is unknown.
    """
    channels = channel_count(layer)
    if blob.ndim == 0:
        if channels is None:
            raise UnsupportedError("a single value for all channels, whose number is unknown")
        return np.broadcast_to(blob, (channels,))
    shape = layer.bottom_shapes[0]
    start = axis + len(shape) if axis < 0 and shape is not None else axis
    if start == 1 and math.prod(blob.shape[1:]) == 1:
        return blob.reshape(-1)
    raise UnsupportedError(f"an array of shape {blob.shape} from axis {axis} on, which BatchNormalization cannot hold")


def channel_count(layer: Layer) -> int | None:
    """The channels of the first bottom, or `None` where they cannot be known."""
    shape = layer.bottom_shapes[0] if layer.bottom_shapes else None
    return None if shape is None or len(shape) < 2 else shape[1]


def normalize(layer: Layer, _: Context) -> Parts:
    """One scale a channel, or one for all (SSD's `normalize_layer.cpp`): Keras has no layer for it, the array is gamma.

    (C) or () -> (C)
    """
    blob = layer.blobs[0].array
    if len(layer.blobs) != 1:
        raise UnsupportedError(f"{len(layer.blobs)} blobs, expected 1")
    channels = channel_count(layer)
    gamma = np.broadcast_to(blob.reshape(()), (channels,)) if blob.size == 1 and channels else blob.reshape(-1)
    return Parts(None, (vector("gamma", gamma),), notes=("needs a layer of your own: L2 norm over channels, times gamma",))
