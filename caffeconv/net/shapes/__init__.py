"""What Caffe would make of one layer: the shapes of its tops, and of its parameter blobs.

Both follow from the layer's parameter and the shapes of its bottoms alone. What cannot be known is `None`, never a
guess. Nothing here raises, whatever a message holds, and the sizes in it cost neither time nor memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from caffeconv.catalogue import LAYER_TYPES
from caffeconv.net.shapes.axes import checked, known_sizes, with_unknown
from caffeconv.net.shapes.table import TABLE

if TYPE_CHECKING:
    from caffe_proto.caffe_pb2 import LayerParameter
    from caffeconv.model import MaybeShape, PartialShape
    from caffeconv.net.shapes.row import MaybeShapes

__all__ = ["Inferred", "expected_blobs", "infer_top_shapes"]


class Inferred(NamedTuple):
    """The shapes of a layer's tops, one for each, and in one line why sizes are missing.

    `reason` is `None` where nothing is missing, or only because something is in the bottoms. `refused`: the layer and
    its bottoms cannot go together, so that Caffe would refuse the net.
    """

    tops: tuple[MaybeShape, ...]
    reason: str | None = None
    refused: bool = False


def infer_top_shapes(param: LayerParameter, bottoms: tuple[MaybeShape, ...]) -> Inferred:
    """The shapes of a layer's tops as Caffe sets them up before the net runs, one for each name in `param.top`."""
    unknown: tuple[MaybeShape, ...] = (None,) * len(param.top)
    row = TABLE.get(param.type)
    if row is None or row.tops is None:
        return Inferred(unknown, f'"{param.type}" is not a layer type whose output shapes are known')
    if len(bottoms) < row.bottoms:
        return Inferred(unknown, f"{param.type} needs {row.bottoms} bottoms, not {len(bottoms)}", refused=True)
    try:
        shapes = row.tops(param, _to_reckon_with(bottoms))
        tops = tuple(known_sizes(checked(shape)) if shape is not None else None for shape in shapes[: len(unknown)])
    except ValueError as error:
        return Inferred(unknown, str(error), refused=True)
    tops += unknown[len(tops) :]
    missing = not all(map(_is_whole, tops)) and all(map(_is_whole, bottoms))
    return Inferred(tops, row.unknown if missing else None)


def expected_blobs(param: LayerParameter, bottoms: tuple[MaybeShape, ...]) -> tuple[PartialShape, ...] | None:
    """The shapes of the parameter blobs that Caffe makes for a layer, in its order.

    `None` inside a shape is a size that depends on an unknown one of a bottom. `()` means a type without weights;
    `None` a type that is not known, that has its blobs in several layouts, or whose parameters contradict its bottoms.
    A convolution over a bottom of unknown rank is taken as one of images unless its parameter gives other axes.
    """
    if param.type not in LAYER_TYPES:
        return None
    if LAYER_TYPES[param.type].blobs == "none":
        return ()
    row = TABLE[param.type]
    if row.blobs is None or len(bottoms) < row.bottoms:
        return None
    try:
        return tuple(map(known_sizes, row.blobs(param, _to_reckon_with(bottoms))))
    except ValueError:
        return None


def _to_reckon_with(shapes: tuple[MaybeShape, ...]) -> MaybeShapes:
    return tuple(with_unknown(shape) if shape is not None else None for shape in shapes)


def _is_whole(shape: MaybeShape) -> bool:
    return shape is not None and None not in shape
