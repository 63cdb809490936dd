"""What joins, cuts, repeats and selects along an axis: output shapes."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

from caffeconv.net.shapes.axes import agree, canonical_axis, require_rank, share_sizes
from caffeconv.net.shapes.params import optional, required
from caffeconv.net.shapes.row import Row, Shapes, of_known

if TYPE_CHECKING:
    from caffe_proto.caffe_pb2 import ConcatParameter, LayerParameter, SliceParameter

__all__ = ["ROWS"]


def _axis_or_legacy(settings: ConcatParameter | SliceParameter, legacy: str, rank: int) -> int:
    """The axis of Concat and Slice: `axis`, or `concat_dim`/`slice_dim` in the files of old."""
    dim = optional(settings, legacy)
    if dim is None:
        return canonical_axis(settings.axis, rank)
    if settings.HasField("axis"):
        raise ValueError(f"axis and {legacy} exclude each other")
    if dim >= rank:
        raise ValueError(f"{legacy} {dim} is out of range for {rank} axes")
    return int(dim)


def _concat(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """`Concat`: sizes add up on one axis and are equal on all others."""
    axis = _axis_or_legacy(param.concat_param, "concat_dim", len(bottoms[0]))
    shape = list(share_sizes(bottoms, but=axis))
    shape[axis] = sum(bottom[axis] for bottom in bottoms)
    return (tuple(shape),)


def _slice_axis(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """`Slice`: one axis cut at `slice_point`s, or into as many equal parts as there are tops."""
    shape = bottoms[0]
    points = param.slice_param.slice_point
    axis = _axis_or_legacy(param.slice_param, "slice_dim", len(shape))
    parts = len(param.top)
    if points:
        if len(points) != parts - 1:
            raise ValueError(f"{len(points)} slice points for {parts} tops")
        edges = [0, *points, shape[axis]]
        sizes = [end - start for start, end in itertools.pairwise(edges)]
        if min(sizes) < 1:
            raise ValueError(f"the slice points do not cut an axis of size {shape[axis]}")
    else:
        if parts < 1 or shape[axis] % parts:
            raise ValueError(f"an axis of size {shape[axis]} does not fall into {parts} equal parts")
        sizes = [shape[axis] // parts] * parts
    return tuple((*shape[:axis], size, *shape[axis + 1 :]) for size in sizes)


def _crop(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """`Crop`: bottom 0 with the sizes of bottom 1 from `axis` on."""
    shape, reference = bottoms[:2]
    axis = canonical_axis(param.crop_param.axis, len(shape))
    cropped = range(axis, len(shape))
    offsets = list(param.crop_param.offset) or [0]
    if len(offsets) == 1:
        offsets *= len(cropped)
    if len(offsets) != len(cropped):
        raise ValueError(f"{len(offsets)} offsets for {len(cropped)} axes")
    if len(reference) < len(shape):
        raise ValueError(f"the reference has {len(reference)} axes, expected {len(shape)}")
    for position, offset in zip(cropped, offsets, strict=True):
        if offset + reference[position] > shape[position]:
            raise ValueError(
                f"offset {offset} and size {reference[position]} exceed size {shape[position]} on axis {position}"
            )
    return ((*shape[:axis], *reference[axis : len(shape)]),)


def _crop_center(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """waifu2x's `CropCenter`: so many elements less on either end of each axis."""
    margins = required(required(param, "crop_center_param"), "crop_size")
    if len(margins) != len(bottoms[0]):
        raise ValueError(f"{len(margins)} margins for {len(bottoms[0])} axes")
    return (tuple(size - 2 * margin for size, margin in zip(bottoms[0], margins, strict=True)),)


def _tile(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """`Tile`: one axis `tiles` times as long."""
    shape = list(bottoms[0])
    if param.tile_param.tiles < 1:
        raise ValueError("tiles is less than 1")
    shape[canonical_axis(param.tile_param.axis, len(shape))] *= param.tile_param.tiles
    return (tuple(shape),)


def _batch_reindex(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """`BatchReindex`: bottom 0 with as many items as bottom 1 has indices."""
    return ((*require_rank(bottoms[1], 1), *bottoms[0][1:]),)


def _filter_items(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """`Filter`: like the bottoms before the last, which selects; fewer items only once the net has run."""
    *items, selector = bottoms
    if math.prod(selector[1:]) != 1 or not all(agree(item[:1], selector[:1]) for item in items):
        raise ValueError(f"a selector of shape {selector} does not select from shapes {items}")
    return tuple(items)


def _split(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """`Split`: the bottom's shape for every top."""
    return bottoms[:1] * len(param.top)


ROWS = {
    "BatchReindex": Row(2, of_known(_batch_reindex)),
    "Concat":       Row(1, of_known(_concat)),
    "Crop":         Row(2, of_known(_crop)),
    "Filter":       Row(2, of_known(_filter_items)),
    "Slice":        Row(1, of_known(_slice_axis)),
    "Split":        Row(1, of_known(_split)),
    "Tile":         Row(1, of_known(_tile)),
    "CropCenter":   Row(1, of_known(_crop_center)),
}  # fmt: skip
