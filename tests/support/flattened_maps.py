"""Where channels are: Caffe has them first, Keras last, also in the vectors that flattened maps become."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from caffeconv.model import Array

__all__ = ["channels_last", "flattened", "flattened_channels_last", "sequences"]


def channels_last(array: Array) -> Array:
    return np.moveaxis(array, 1, -1)


def flattened_channels_last(vectors: Array, segments: Sequence[tuple[int, ...]]) -> Array:
    """What Keras' Flatten and Concatenate make of maps that Caffe has flattened channels first, on the last axis."""
    ends = np.cumsum([math.prod(segment) for segment in segments])
    maps = np.split(vectors, ends[:-1], axis=-1)
    return np.concatenate(
        [
            channels_last(part.reshape(-1, *segment)).reshape(*vectors.shape[:-1], -1)
            for part, segment in zip(maps, segments, strict=True)
        ],
        axis=-1,
    )


def flattened(bottom: Sequence[Any], layers: Sequence[dict[str, Any]]) -> list[tuple[int, ...]]:
    """The maps (C, H, W), or vectors, that lie one behind the other in a bottom, given as its name and shape."""
    name, shape = bottom
    if len(shape) > 2:
        return [tuple(shape[1:])]
    maker = next(layer for layer in layers if any(top[0] == name for top in layer["tops"]))
    if maker["type"] == "InnerProduct" or not maker["bottoms"]:
        return [tuple(shape[1:])]
    joined = maker["bottoms"] if maker["type"] == "Concat" else maker["bottoms"][:1]
    return [segment for below in joined for segment in flattened(below, layers)]


def sequences(x: Array, static: Array | None) -> Array:
    """(T, N, …) -> (T, N, features) as Keras flattens them, a static input (N, …) put behind x in every step."""
    x = np.moveaxis(x, 2, -1) if x.ndim > 3 else x  # (T, N, C, H, W): Keras flattens (H, W, C)
    x = x.reshape(*x.shape[:2], -1)
    if static is None:
        return x
    static = channels_last(static).reshape(len(static), -1)
    return np.concatenate([x, np.broadcast_to(static, (len(x), *static.shape))], axis=2)
