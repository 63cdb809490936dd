"""What a row of the table of shapes is made of, and the rows that many types have."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, TypeAlias

from caffeconv.model import PartialShape, Shape

if TYPE_CHECKING:
    from collections.abc import Callable

    from caffe_proto.caffe_pb2 import LayerParameter

__all__ = ["NOT_KNOWN", "SAME_SHAPE", "MaybeShapes", "Row", "Shapes", "nothing", "of_known"]

Shapes: TypeAlias = tuple[Shape, ...]
"""Shapes to reckon with, in which a size may be `UNKNOWN`."""
MaybeShapes: TypeAlias = tuple[Shape | None, ...]
"""Such shapes, `None` where not even the number of axes is known."""

_Tops: TypeAlias = "Callable[[LayerParameter, MaybeShapes], MaybeShapes]"


@dataclasses.dataclass(frozen=True)
class Row:
    """What Caffe makes of a layer of one type, which has at least so many `bottoms`.

    `tops` gives the shapes of its tops, perhaps more than it has (they are optional) or fewer (the rest is unknown);
    `None` where they are not known at all. `blobs` gives those of its parameter blobs in Caffe's order, where they are
    certain. Both raise ValueError where the net contradicts itself. `unknown` says why a top may have no shape.
    `bottom` gives what the shape of the first blob tells of a bottom, `None` if nothing; `input` what it tells of one
    that is an input of the net, of which nothing else is known.
    """

    bottoms: int
    tops: _Tops | None
    blobs: Callable[[LayerParameter, MaybeShapes], Shapes] | None = None
    unknown: str = "the shape of this top is not known"
    bottom: Callable[[LayerParameter, Shape], PartialShape | None] | None = None
    input: Callable[[LayerParameter, Shape], PartialShape | None] | None = None


def of_known(tops: Callable[[LayerParameter, Shapes], MaybeShapes]) -> _Tops:
    """The rule for tops that follow from bottoms all of whose axes must be known."""

    def shapes(param: LayerParameter, bottoms: MaybeShapes) -> MaybeShapes:
        known = tuple(bottom for bottom in bottoms if bottom is not None)
        return tops(param, known) if len(known) == len(bottoms) else ()

    return shapes


def nothing(param: LayerParameter, bottoms: MaybeShapes) -> MaybeShapes:
    """No top at all, or none that can be known."""
    return ()


def _first_bottom(param: LayerParameter, bottoms: Shapes) -> Shapes:
    return bottoms[:1]


SAME_SHAPE = Row(1, of_known(_first_bottom))
"""The shape of bottom 0: activations and normalizations."""
NOT_KNOWN = Row(0, None)
"""A type of which no more than its name is known."""
