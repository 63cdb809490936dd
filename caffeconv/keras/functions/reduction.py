"""Largest elements, and sums over axes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["CLASSES", "arg_max", "arg_max_of_sample", "reduction"]

ops: Any = None


def arg_max(x, axis, top_k, out_max_val):
    """The indices, or the values, of the largest elements along an axis, in its place."""
    last = len(x.shape) - 1
    order = [each for each in range(last + 1) if each != axis] + [axis]
    values, indices = ops.top_k(ops.transpose(x, order), top_k)
    back = [order.index(each) for each in range(last + 1)]
    return ops.transpose(values if out_max_val else ops.cast(indices, "float32"), back)


def arg_max_of_sample(x, top_k, out_max_val):
    """(N, K) -> (N, 1 or 2, top_k): the indices of the largest elements and, perhaps, the elements behind them."""
    values, indices = ops.top_k(x, top_k)
    indices = ops.cast(indices, "float32")
    return ops.stack([indices, values] if out_max_val else [indices], axis=1)


def reduction(x, operation, axes, coeff):
    """The sum, the mean, the sum of magnitudes or that of squares over axes, times coeff."""
    axes = tuple(axes)
    if operation in ("ASUM", "SUMSQ"):
        x = ops.abs(x) if operation == "ASUM" else x * x
    reduce = ops.mean if operation == "MEAN" else ops.sum
    return reduce(x, axis=axes) * coeff


CLASSES: Mapping[str, Callable[..., Any]] = {
    "ArgMax": arg_max,
    "ArgMaxOfSample": arg_max_of_sample,
    "Reduction": reduction,
}
