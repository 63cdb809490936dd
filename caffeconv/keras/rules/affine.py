"""Factors and offsets along some axes, written as a BatchNormalization whose statistics do nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from caffeconv.errors import UnsupportedError
from caffeconv.keras.rules.arrays import vector
from caffeconv.keras.rules.operands import bottom_shape, channel_count
from caffeconv.keras.rules.record import Context, Parts
from caffeconv.model import Array, KerasCall, Layer, PartialShape, Weight
from caffeconv.net.shapes.axes import agree, with_unknown

__all__ = ["affine", "along_axes", "batch_normalization", "optional_vectors", "same_size"]

_KERAS_EPSILON = 1e-3
_NOTE = "written as a BatchNormalization that only scales and shifts: mean 0, variance 1 - epsilon"


def same_size(*arrays: Array) -> None:
    """Raises `UnsupportedError` where arrays differ in their number of values."""
    if len({array.size for array in arrays}) > 1:
        raise UnsupportedError(f"arrays of shapes {[array.shape for array in arrays]}, expected one size")


def affine(gamma: Array | None, beta: Array | None, axis: int = -1) -> Parts:
    """y = x·gamma + beta along one axis of Keras: mean 0, variance 1 − epsilon."""
    size = next(array.size for array in (gamma, beta) if array is not None)
    weights = (
        *optional_vectors(gamma=gamma, beta=beta),
        Weight("moving_mean", np.broadcast_to(np.float32(0), (size,)), (size,)),
        Weight("moving_variance", np.broadcast_to(np.float32(1 - _KERAS_EPSILON), (size,)), (size,)),
    )
    return Parts(batch_normalization(weights, _KERAS_EPSILON, axis), weights, notes=(_NOTE,))


def optional_vectors(**arrays: Array | None) -> tuple[Weight, ...]:
    """The arrays that are there, as vectors under their names."""
    return tuple(vector(name, array) for name, array in arrays.items() if array is not None)


def batch_normalization(weights: Sequence[Weight], epsilon: float, axis: int = -1) -> KerasCall:
    """The layer that loads just these weights."""
    names = {weight.name for weight in weights}
    arguments: list[tuple[str, object]] = [] if axis == -1 else [("axis", axis)]
    arguments.append(("epsilon", epsilon))
    arguments += [(argument, False) for argument, name in (("center", "beta"), ("scale", "gamma")) if name not in names]
    return KerasCall("BatchNormalization", tuple(arguments))


def along_axes(layer: Layer, context: Context, axis: int, gamma: Array | None, beta: Array | None) -> Parts:
    """The arrays along the axes of the bottom from `axis` on, wherever Keras has them; a scalar for every channel."""
    blob = gamma if gamma is not None else beta
    assert blob is not None
    shape = bottom_shape(layer)
    if blob.ndim == 0:
        channels = channel_count(layer)
        if channels is None:
            raise UnsupportedError("a single value for all channels, whose number is unknown")
        gamma, beta = (None if array is None else np.broadcast_to(array, (channels,)) for array in (gamma, beta))
        return affine(gamma, beta, 1 if shape is not None and len(shape) > 2 and context.keeps_axes else -1)
    if shape is None and axis == 1 and blob.ndim == 1:
        return affine(gamma, beta)
    if shape is None:
        raise UnsupportedError(f"an array of shape {blob.shape} from axis {axis} on of a bottom of unknown shape")
    start = axis + len(shape) if axis < 0 else axis
    if start < 1 or not agree(with_unknown(shape[start : start + blob.ndim]), blob.shape):
        raise UnsupportedError(
            f"an array of shape {blob.shape} from axis {axis} on of {shape}, which Keras cannot hold"
        )
    shape = (*shape[:start], *blob.shape, *shape[start + blob.ndim :])
    axes = list(range(1, len(shape))) if context.keeps_axes else [*range(2, len(shape)), 1]
    return _at(shape, axes, range(start, start + blob.ndim), gamma, beta)


def _at(shape: PartialShape, axes: list[int], ours: range, gamma: Array | None, beta: Array | None) -> Parts:
    """`axes` are Caffe's axes behind the batch in Keras' order, `ours` those of the arrays.

    One axis of more than a single value is an axis of the layer; several are moved to the end and made one.
    """
    last = len(axes) - 1
    long = [position for position, axis in enumerate(axes) if axis in ours and shape[axis] != 1]
    if len(long) <= 1:
        position = long[0] if long else axes.index(ours[0])
        return affine(gamma, beta, -1 if position == last else position + 1)
    moved = [position for position, axis in enumerate(axes) if axis in ours]
    order = [position for position in range(len(axes)) if position not in moved] + moved
    turn = [axes[position] - ours[0] for position in moved]
    gamma, beta = (None if array is None else np.transpose(array, turn) for array in (gamma, beta))
    parts = affine(gamma, beta)
    sizes = tuple(size for position in order if (size := shape[axes[position]]) is not None)
    if len(sizes) < len(order):
        raise UnsupportedError(f"arrays along several axes of a bottom of shape {shape}, which must all be known")
    before = [KerasCall("Reshape", (("target_shape", (*sizes[: -len(moved)], -1)),))]
    after = [KerasCall("Reshape", (("target_shape", sizes),))]
    if order != sorted(order):
        before.insert(0, KerasCall("Permute", (("dims", tuple(position + 1 for position in order)),)))
        after.append(KerasCall("Permute", (("dims", tuple(order.index(i) + 1 for i in range(len(order)))),)))
    return dataclasses.replace(parts, before=tuple(before), after=tuple(after))
