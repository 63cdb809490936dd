"""Arithmetic on shapes, with the checks of Caffe's `Blob` (`src/caffe/blob.cpp`, `include/caffe/blob.hpp`)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from caffeconv.model import MAX_AXES, MAX_COUNT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from caffe_proto.caffe_pb2 import BlobShape
    from caffeconv.model import PartialShape, Shape

__all__ = [
    "UNKNOWN", "agree", "canonical_axis", "checked", "declared_shape", "known_sizes", "merged_sizes", "require_rank",
    "share_sizes", "with_unknown",
]  # fmt: skip


class _Unknown(int):
    """A size that is not known: whatever is reckoned with it is not known, and it is never a reason to refuse a net.

    So the functions that make shapes need not care. Only here is it a number; everywhere else it is `None`.
    """

    def _absorb(self, *_: Any) -> _Unknown:
        return UNKNOWN

    def _divides(self, _: Any) -> int:
        return 0

    def _no_reason(self, _: object) -> bool:
        return False

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __floordiv__ = __rfloordiv__ = _absorb
    __neg__ = __pow__ = __rpow__ = _absorb  # type: ignore[assignment]
    __mod__ = __rmod__ = _divides
    __lt__ = __le__ = __gt__ = __ge__ = __ne__ = _no_reason

    def __eq__(self, other: object) -> bool:
        return other is self

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        return "?"


UNKNOWN: Final = _Unknown(1)


def with_unknown(shape: PartialShape) -> Shape:
    """A shape to reckon with."""
    return tuple(UNKNOWN if size is None else size for size in shape)


def known_sizes(shape: Shape) -> PartialShape:
    """What is known of a shape that was reckoned."""
    return tuple(None if size is UNKNOWN else size for size in shape)


def agree(shape: Sequence[int], other: Sequence[int]) -> bool:
    """Whether two shapes may be equal, as far as they are known."""
    return len(shape) == len(other) and not any(mine != theirs for mine, theirs in zip(shape, other, strict=True))


def merged_sizes(shapes: Sequence[Shape]) -> Shape:
    """The one shape that all of `shapes`, which agree, stand for."""
    return tuple(next((size for size in sizes if size is not UNKNOWN), UNKNOWN) for sizes in zip(*shapes, strict=True))


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
        if size < 1 or size > MAX_COUNT:
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


def share_sizes(shapes: Sequence[Shape], but: int | None = None) -> Shape:
    """The one shape that all of `shapes` have, but for axis `but`, which is that of the first."""
    first = shapes[0]
    for shape in shapes[1:]:
        if len(shape) != len(first) or any(
            mine != other for axis, (mine, other) in enumerate(zip(first, shape, strict=True)) if axis != but
        ):
            raise ValueError(f"bottoms of shapes {first} and {shape} do not go together")
    shape = merged_sizes(shapes)
    return shape if but is None else (*shape[:but], first[but], *shape[but + 1 :])
