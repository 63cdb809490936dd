"""What brings values to a scale of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

__all__ = [
    "CLASSES", "WEIGHTED", "lrn", "lrn_within", "moving_normalize", "mvn", "normalize",
]  # fmt: skip

ops: Any = None


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


def normalize(x, gamma, across_spatial, eps):
    """x divided by its L2 norm, over the channels or the whole sample, times gamma."""
    axes = tuple(range(1, len(x.shape))) if across_spatial else (-1,)
    total = ops.sum(x * x, axis=axes, keepdims=True) + eps
    return x / ops.sqrt(total) * gamma


def moving_normalize(x, scale, tops):
    """(N, K) divided by the mean norm of many batches, into which this one's goes, too; below 0 there are none yet.

    The mean is the second top, if there is one (happynear's moving_normalize_layer).
    """
    axes = tuple(range(1, len(x.shape)))
    norms = ops.sqrt(ops.sum(x * x, axis=axes) + 1e-12)
    norm, scale = ops.mean(norms, axis=(0,)), ops.reshape(scale, (1,))
    moved = scale * 0.99 + norm * 0.01
    moved = ops.where(ops.greater(scale * -1.0, 0.0), norm, moved)
    return [x / moved, moved] if tops > 1 else x / moved


CLASSES: Mapping[str, Callable[..., Any]] = {"LRN": lrn, "LRNWithin": lrn_within, "MVN": mvn}
WEIGHTED: Mapping[str, Callable[..., Any]] = {
    "MovingNormalize": moving_normalize,
    "Normalize": normalize,
}
