"""Functions of single values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

__all__ = [
    "CLASSES", "absolute", "clip", "exponential", "fixed_point", "hard_swish", "logarithm", "power", "swish",
    "threshold",
]  # fmt: skip

ops: Any = None


def absolute(x):
    """|x|."""
    return ops.abs(x)


def power(x, power, scale, shift):
    """(shift + scale·x) ** power."""
    return ops.power(x * scale + shift, power)


def exponential(x, factor, offset):
    """e ** (factor·x + offset)."""
    return ops.exp(x * factor + offset)


def logarithm(x, factor, scale, shift):
    """factor · ln(shift + scale·x)."""
    return ops.log(x * scale + shift) * factor


def clip(x, low, high):
    """x, between low and high."""
    return ops.minimum(ops.maximum(x, low), high)


def threshold(x, threshold):
    """1 where x is greater, else 0."""
    return ops.cast(ops.greater(x, threshold), "float32")


def fixed_point(x, step, low, high):
    """x rounded to steps, halves up, between low and high; towards 0 where these are not given (Vitis' FixedNeuron)."""
    ratio = x * (1 / step)
    if low is None:
        down = ops.floor(ops.abs(ratio)) * step
        return ops.where(ops.greater(x, 0.0), down, down * -1.0)
    return clip(ops.floor(ratio + 0.5) * step, low, high)


def swish(x, beta):
    """x · sigmoid(beta·x)."""
    return x * ops.sigmoid(x * beta)


def hard_swish(x):
    """x · min(max(x + 3, 0), 6) / 6."""
    return x * ops.minimum(ops.maximum(x + 3.0, 0.0), 6.0) * (1 / 6)


CLASSES: Mapping[str, Callable[..., Any]] = {
    "Absolute": absolute,
    "Power": power,
    "Exponential": exponential,
    "Logarithm": logarithm,
    "Clip": clip,
    "FixedPoint": fixed_point,
    "Threshold": threshold,
    "Swish": swish,
    "HardSwish": hard_swish,
}
