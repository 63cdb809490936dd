"""Factors and offsets that lie along any axes, the batch among them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["CLASSES", "WEIGHTED", "affine", "scale_by", "scale_whole", "shift_by"]

ops: Any = None


def scale_by(x, factors, shape, axes):
    """x times factors of that shape, one axis for each of x, which `axes` bring to the order of those of x."""
    return x * ops.transpose(ops.reshape(factors, tuple(shape)), tuple(axes))


def shift_by(x, offsets, shape, axes):
    """As scale_by: x and offsets added."""
    return x + ops.transpose(ops.reshape(offsets, tuple(shape)), tuple(axes))


def affine(x, *arrays, shape, axes, scaled):
    """x, times the first array if it is `scaled`, and the last added if there is one more; as in scale_by."""
    whole = [ops.reshape(each, tuple(shape)) for each in arrays]
    placed = [ops.transpose(each, tuple(axes)) for each in whole]
    if scaled:
        x = x * placed[0]
    return x + placed[-1] if len(placed) > scaled else x


def scale_whole(x, scale, tops):
    """x times one number, and the number itself if it has two tops (happynear's channel_scale_layer)."""
    scale = ops.reshape(scale, (1,))
    return [x * scale, scale] if tops > 1 else x * scale


CLASSES: Mapping[str, Callable[..., Any]] = {"ScaleBy": scale_by, "ShiftBy": shift_by}
WEIGHTED: Mapping[str, Callable[..., Any]] = {
    "Affine": affine,
    "ScaleWhole": scale_whole,
}
