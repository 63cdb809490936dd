"""What Caffe would make of one layer: the shapes of its tops, and of its parameter blobs.

Both follow from the layer's parameter and the shapes of its bottoms alone. What cannot be known is `None`, never a
guess. Nothing here raises, whatever a message holds, and the sizes in it cost neither time nor memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from caffeconv.net.shapes.axes import checked
from caffeconv.net.shapes.expected import EXPECTED, UNCERTAIN
from caffeconv.net.shapes.table import TABLE, PartialRow

if TYPE_CHECKING:
    from caffe_proto.caffe_pb2 import LayerParameter
    from caffeconv.model import MaybeShape, PartialShape

__all__ = ["WEIGHTLESS", "contradicts", "expected_blobs", "infer_top_shapes"]

WEIGHTLESS = frozenset(TABLE) - frozenset(EXPECTED) - UNCERTAIN
"""The layer types that are known to have no parameter blobs."""


def infer_top_shapes(
    param: LayerParameter, bottoms: tuple[MaybeShape, ...]
) -> tuple[tuple[MaybeShape, ...], str | None]:
    """The shapes of a layer's tops, one for each name in `param.top`, as Caffe sets them up before the net runs.

    The second value says in one line why shapes are missing: the net contradicts itself, or a type or the layer's
    data are not known. It is `None` where nothing is missing, or only because bottoms are unknown.
    """
    return _infer(param, bottoms)[:2]


def contradicts(param: LayerParameter, bottoms: tuple[MaybeShape, ...]) -> bool:
    """Whether a layer and its bottoms cannot go together, so that Caffe would refuse the net."""
    return _infer(param, bottoms)[2]


def _infer(param: LayerParameter, bottoms: tuple[MaybeShape, ...]) -> tuple[tuple[MaybeShape, ...], str | None, bool]:
    """The shapes of the tops, why some are missing, and whether that is because the net is wrong."""
    unknown: tuple[MaybeShape, ...] = (None,) * len(param.top)
    row = TABLE.get(param.type)
    if row is None:
        return unknown, f'"{param.type}" is not a layer type whose output shapes are known', False
    if len(bottoms) < row.bottoms:
        return unknown, f"{param.type} needs {row.bottoms} bottoms, not {len(bottoms)}", True
    known = tuple(bottom for bottom in bottoms if bottom is not None)
    complete = len(known) == len(bottoms)
    try:
        if isinstance(row, PartialRow):
            shapes = row.rule(param, bottoms)
        elif complete:
            shapes = row.rule(param, known)
        else:
            return unknown, None, False
        tops = tuple(checked(shape) if shape is not None else None for shape in shapes[: len(unknown)])
    except ValueError as error:
        return unknown, str(error), True
    tops += unknown[len(tops) :]
    return tops, row.unknown if complete and None in tops else None, False


def expected_blobs(param: LayerParameter, bottoms: tuple[MaybeShape, ...]) -> tuple[PartialShape, ...] | None:
    """The shapes of the parameter blobs that Caffe makes for a layer, in its order.

    `None` inside a shape is a size that depends on an unknown bottom. `()` means a type without weights; `None` a
    type that is not known, that has its blobs in several layouts, or whose parameters contradict its bottoms.
    A convolution over an unknown bottom is taken as one of images unless its parameter gives other axes.
    """
    if param.type in WEIGHTLESS:
        return ()
    rule = EXPECTED.get(param.type)
    if rule is None or len(bottoms) < TABLE[param.type].bottoms:
        return None
    try:
        return rule(param, bottoms)
    except ValueError:
        return None
