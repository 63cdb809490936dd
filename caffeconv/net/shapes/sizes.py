"""Sizes of bottoms that need not be known, as the shapes of parameter blobs are made of them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from caffeconv.net.shapes.axes import canonical_axis

if TYPE_CHECKING:
    from caffeconv.model import MaybeShape, PartialShape
    from caffeconv.net.shapes.row import Blobs

__all__ = ["count_from", "divided", "size_of", "with_bias"]


def size_of(shape: MaybeShape, axis: int) -> int | None:
    """The size of one axis, if it is known."""
    return shape[canonical_axis(axis, len(shape))] if shape is not None else None


def count_from(shape: MaybeShape, axis: int) -> int | None:
    """The elements from `axis` on, if they are known."""
    return math.prod(shape[canonical_axis(axis, len(shape)) :]) if shape is not None else None


def divided(size: int | None, group: int) -> int | None:
    """The size of each of so many groups, which must divide it."""
    if group < 1 or (size is not None and size % group):
        raise ValueError(f"{size} channels in {group} groups")
    return size // group if size is not None else None


def with_bias(weights: PartialShape, outputs: int | None, bias_term: bool) -> Blobs:
    """The weights, and a bias for each output where there is one."""
    return (weights, (outputs,)) if bias_term else (weights,)
