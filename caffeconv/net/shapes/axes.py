"""Arithmetic on shapes, with the checks of Caffe's `Blob` (`src/caffe/blob.cpp`, `include/caffe/blob.hpp`)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from caffeconv.model import MAX_AXES, MAX_COUNT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from caffe_proto.caffe_pb2 import BlobShape
    from caffeconv.model import Shape

__all__ = ["canonical_axis", "checked", "declared_shape", "require_rank", "share_sizes"]


def canonical_axis(axis: int, rank: int) -> int:
    """`axis` counted from the front, where it may be counted from the end."""
    if not -rank <= axis < rank:
        raise ValueError(f"axis {axis} is out of range for {rank} axes")
    return axis % rank


def checked(shape: Sequence[int]) -> Shape:
    """`shape`, if a blob with data can have it."""
    if len(shape) > MAX_AXES:
        raise ValueError(f"a blob has at most {MAX_AXES} axes, not {len(shape)}")
    for axis, size in enumerate(shape):
        if not 1 <= size <= MAX_COUNT:
            raise ValueError(f"axis {axis} would have size {size}")
    if math.prod(shape) > MAX_COUNT:
        raise ValueError(f"a blob has at most {MAX_COUNT} elements, not {math.prod(shape)}")
    return tuple(shape)


def declared_shape(shape: BlobShape) -> Shape:
    """A shape that is written in a parameter."""
    return checked(shape.dim)


def require_rank(shape: Shape, rank: int) -> Shape:
    """`shape`, if it has `rank` axes."""
    if len(shape) != rank:
        raise ValueError(f"the bottom has {len(shape)} axes, expected {rank}")
    return shape


def share_sizes(shapes: Sequence[Shape], but: int | None = None) -> None:
    """Check that all shapes are equal, or equal but for axis `but`."""
    first = shapes[0]
    for shape in shapes[1:]:
        if len(shape) != len(first) or any(
            mine != other for axis, (mine, other) in enumerate(zip(first, shape, strict=True)) if axis != but
        ):
            raise ValueError(f"bottoms of shapes {first} and {shape} do not go together")
