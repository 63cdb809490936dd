"""Sizes of bottoms that need not be known, as the shapes of parameter blobs are made of them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from caffeconv.net.shapes.axes import UNKNOWN, canonical_axis

if TYPE_CHECKING:
    from caffeconv.model import Shape
    from caffeconv.net.shapes.row import Shapes

__all__ = ["count_from", "divided", "size_of", "with_bias"]


def size_of(shape: Shape | None, axis: int) -> int:
    """The size of one axis."""
    return shape[canonical_axis(axis, len(shape))] if shape is not None else UNKNOWN


def count_from(shape: Shape | None, axis: int) -> int:
    """The elements from `axis` on."""
    return math.prod(shape[canonical_axis(axis, len(shape)) :]) if shape is not None else UNKNOWN


def divided(size: int, group: int) -> int:
    """The size of each of so many groups, which must divide it."""
    if group < 1 or size % group:
        raise ValueError(f"{size} channels in {group} groups")
    return size // group


def with_bias(weights: Shape, outputs: int, bias_term: bool) -> Shapes:
    """The weights, and a bias for each output where there is one."""
    return (weights, (outputs,)) if bias_term else (weights,)
