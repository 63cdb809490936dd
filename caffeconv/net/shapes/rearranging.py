"""Output shapes of what rearranges, joins, cuts and reduces blobs without weights."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

from caffeconv.model import Shape
from caffeconv.net.shapes.axes import MAX_AXES, canonical_axis, require_rank, share_sizes
from caffeconv.net.shapes.params import optional, required

if TYPE_CHECKING:
    from caffe_proto.caffe_pb2 import ConcatParameter, LayerParameter, SliceParameter

__all__ = [
    "arg_max", "batch_reindex", "concat", "crop", "crop_center", "filter_items", "flatten", "permute", "reduction",
    "reorganize", "reshape", "slice_axis", "tile", "transpose",
]  # fmt: skip

Shapes = tuple[Shape, ...]


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


def concat(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """`Concat`: sizes add up on one axis and are equal on all others."""
    shape = list(bottoms[0])
    axis = _axis_or_legacy(param.concat_param, "concat_dim", len(shape))
    share_sizes(bottoms, but=axis)
    shape[axis] = sum(bottom[axis] for bottom in bottoms)
    return (tuple(shape),)


def slice_axis(param: LayerParameter, bottoms: Shapes) -> Shapes:
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


def flatten(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """`Flatten`: the axes from `axis` to `end_axis` become one."""
    shape = bottoms[0]
    start = canonical_axis(param.flatten_param.axis, len(shape))
    stop = canonical_axis(param.flatten_param.end_axis, len(shape)) + 1
    if start > stop:
        raise ValueError(f"axis {start} comes after end_axis {stop - 1}")
    return ((*shape[:start], math.prod(shape[start:stop]), *shape[stop:]),)


def reshape(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """`Reshape`: the axes from `axis` on, `num_axes` of them, get new sizes; 0 copies a size, -1 infers one."""
    settings = param.reshape_param
    shape = bottoms[0]
    start = settings.axis if settings.axis >= 0 else len(shape) + settings.axis + 1
    if not 0 <= start <= len(shape):
        raise ValueError(f"axis {settings.axis} is out of range for {len(shape)} axes")
    if settings.num_axes < -1 or start + settings.num_axes > len(shape):
        raise ValueError(f"{settings.num_axes} axes from axis {start} on are more than the bottom has")
    stop = len(shape) if settings.num_axes == -1 else start + settings.num_axes
    if len(settings.shape.dim) > MAX_AXES:
        raise ValueError(f"a blob has at most {MAX_AXES} axes, not {len(settings.shape.dim)}")
    sizes = list(settings.shape.dim)
    for position, size in enumerate(sizes):
        if size == 0:
            if start + position >= len(shape):
                raise ValueError(f"size {position} is to be copied from an axis that the bottom does not have")
            sizes[position] = shape[start + position]
    if sizes.count(-1) > 1:
        raise ValueError("more than one size is to be inferred")
    count = math.prod(shape[start:stop])
    if -1 in sizes:
        rest = -math.prod(sizes)
        if rest < 1 or count % rest:
            raise ValueError(f"{count} elements cannot take the shape {tuple(sizes)}")
        sizes[sizes.index(-1)] = count // rest
    if math.prod(sizes) != count:
        raise ValueError(f"{count} elements cannot take the shape {tuple(sizes)}")
    return ((*shape[:start], *sizes, *shape[stop:]),)


def crop(param: LayerParameter, bottoms: Shapes) -> Shapes:
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


def crop_center(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """waifu2x's `CropCenter`: so many elements less on either end of each axis."""
    margins = required(required(param, "crop_center_param"), "crop_size")
    if len(margins) != len(bottoms[0]):
        raise ValueError(f"{len(margins)} margins for {len(bottoms[0])} axes")
    return (tuple(size - 2 * margin for size, margin in zip(bottoms[0], margins, strict=True)),)


def tile(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """`Tile`: one axis `tiles` times as long."""
    shape = list(bottoms[0])
    if param.tile_param.tiles < 1:
        raise ValueError("tiles is less than 1")
    shape[canonical_axis(param.tile_param.axis, len(shape))] *= param.tile_param.tiles
    return (tuple(shape),)


def reduction(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """`Reduction`: the axes before `axis`; all from there on are reduced."""
    return (bottoms[0][: canonical_axis(param.reduction_param.axis, len(bottoms[0]))],)


def arg_max(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """`ArgMax`: `top_k` along `axis`; without `axis` (N, 1, top_k), or (N, 2, top_k) with `out_max_val`, 1-padded."""
    settings = param.argmax_param
    shape = list(bottoms[0])
    if settings.HasField("axis"):
        axis = canonical_axis(settings.axis, len(shape))
        candidates = shape[axis]
        shape[axis] = settings.top_k
    else:
        candidates = math.prod(shape[1:])
        shape = [shape[0], 1 + settings.out_max_val, settings.top_k, *[1] * (len(shape) - 3)]
    if not 1 <= settings.top_k <= candidates:
        raise ValueError(f"the top {settings.top_k} of {candidates}")
    return (tuple(shape),)


def batch_reindex(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """`BatchReindex`: bottom 0 with as many items as bottom 1 has indices."""
    return ((*require_rank(bottoms[1], 1), *bottoms[0][1:]),)


def filter_items(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """`Filter`: like the bottoms before the last, which selects; fewer items only once the net has run."""
    *items, selector = bottoms
    if math.prod(selector[1:]) != 1 or any(item[:1] != selector[:1] for item in items):
        raise ValueError(f"a selector of shape {selector} does not select from shapes {items}")
    return tuple(items)


def permute(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """SSD's `Permute`: axes in the given `order`, then those that it leaves out."""
    return (_reordered(bottoms[0], optional(required(param, "permute_param"), "order") or ()),)


def transpose(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """`Transpose`: axes in the order of `dim`."""
    order = required(required(param, "transpose_param"), "dim")
    if len(order) != len(bottoms[0]):
        raise ValueError(f"an order of {len(order)} axes for {len(bottoms[0])}")
    return (_reordered(bottoms[0], order),)


def _reordered(shape: Shape, order: tuple[int, ...]) -> Shape:
    if len(set(order)) != len(order) or not set(order) <= set(range(len(shape))):
        raise ValueError(f"order {order[:MAX_AXES]} does not permute {len(shape)} axes")
    return tuple(shape[axis] for axis in (*order, *(rest for rest in range(len(shape)) if rest not in order)))


def reorganize(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """YOLO's `Reorg`: (N, C, H, W) to (N, C · s², H / s, W / s), or back with `reverse`."""
    num, channels, height, width = require_rank(bottoms[0], 4)
    settings = required(param, "reorg_param")
    stride = required(settings, "stride")
    if stride < 1:
        raise ValueError("the stride is less than 1")
    if optional(settings, "reverse"):
        return ((num, channels // stride**2, height * stride, width * stride),)
    return ((num, channels * stride**2, height // stride, width // stride),)
