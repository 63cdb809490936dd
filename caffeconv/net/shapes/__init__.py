"""What Caffe would make of one layer: the shapes of its tops, and of its parameter blobs.

Both follow from the layer's parameter and the shapes of its bottoms alone. What cannot be known is `None`, never a
guess. Nothing here raises, whatever a message holds, and the sizes in it cost neither time nor memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from caffeconv.catalogue import LAYER_TYPES
from caffeconv.net.shapes.axes import checked
from caffeconv.net.shapes.table import TABLE

if TYPE_CHECKING:
    from caffe_proto.caffe_pb2 import LayerParameter
    from caffeconv.net.shapes.row import Blobs, MaybeShapes

__all__ = ["Inferred", "expected_blobs", "infer_top_shapes"]


class Inferred(NamedTuple):
    """The shapes of a layer's tops, one for each, and in one line why shapes are missing.

    `reason` is `None` where nothing is missing, or only because bottoms are unknown. `refused`: the layer and its
    bottoms cannot go together, so that Caffe would refuse the net.
    """

    tops: MaybeShapes
    reason: str | None = None
    refused: bool = False


def infer_top_shapes(param: LayerParameter, bottoms: MaybeShapes) -> Inferred:
    """The shapes of a layer's tops as Caffe sets them up before the net runs, one for each name in `param.top`."""
    unknown: MaybeShapes = (None,) * len(param.top)
    row = TABLE.get(param.type)
    if row is None or row.tops is None:
        return Inferred(unknown, f'"{param.type}" is not a layer type whose output shapes are known')
    if len(bottoms) < row.bottoms:
        return Inferred(unknown, f"{param.type} needs {row.bottoms} bottoms, not {len(bottoms)}", refused=True)
    try:
        shapes = row.tops(param, bottoms)
        tops = tuple(checked(shape) if shape is not None else None for shape in shapes[: len(unknown)])
    except ValueError as error:
        return Inferred(unknown, str(error), refused=True)
    tops += unknown[len(tops) :]
    return Inferred(tops, row.unknown if None in tops and None not in bottoms else None)


def expected_blobs(param: LayerParameter, bottoms: MaybeShapes) -> Blobs | None:
    """The shapes of the parameter blobs that Caffe makes for a layer, in its order.

    `None` inside a shape is a size that depends on an unknown bottom. `()` means a type without weights; `None` a
    type that is not known, that has its blobs in several layouts, or whose parameters contradict its bottoms.
    A convolution over an unknown bottom is taken as one of images unless its parameter gives other axes.
    """
    if param.type not in LAYER_TYPES:
        return None
    if LAYER_TYPES[param.type].blobs == "none":
        return ()
    row = TABLE[param.type]
    if row.blobs is None or len(bottoms) < row.bottoms:
        return None
    try:
        return row.blobs(param, bottoms)
    except ValueError:
        return None
