"""Distances in the place of products."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["CLASSES", "WEIGHTED", "inner_distance"]

ops: Any = None


def inner_distance(x, centers, *bias, distance):
    """(…, K) -> (…, N): sums of squares (L2) or of magnitudes (L1) of what x lacks to each of the N centers."""
    apart = ops.expand_dims(x, len(x.shape) - 1) - centers
    apart = apart * apart if distance == "L2" else ops.abs(apart)
    sums = ops.sum(apart, axis=(-1,))
    return sums + bias[0] if bias else sums


CLASSES: Mapping[str, Callable[..., Any]] = {}
WEIGHTED: Mapping[str, Callable[..., Any]] = {"InnerDistance": inner_distance}
