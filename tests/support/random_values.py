"""Numbers drawn at random, the same in every run."""

from __future__ import annotations

import numpy as np

from caffeconv.model import Array

__all__ = ["arrays", "image"]


def arrays(*shapes: tuple[int, ...]) -> list[Array]:
    """Positive numbers around 1, as variances and factors must be."""
    random = np.random.default_rng(sum(map(sum, shapes)))
    return [random.uniform(0.2, 1.5, shape).astype("f4") for shape in shapes]


def image(*shape: int) -> Array:
    return np.random.default_rng(2).normal(size=shape).astype("f4")
