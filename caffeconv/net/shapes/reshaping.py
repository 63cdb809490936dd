"""What gives the values of a blob other axes or another order: output shapes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from caffeconv.model import MAX_AXES, Shape
from caffeconv.net.shapes.axes import UNKNOWN, canonical_axis, require_rank
from caffeconv.net.shapes.params import optional, required
from caffeconv.net.shapes.row import SAME_SHAPE, MaybeShapes, Row, Shapes, of_known

if TYPE_CHECKING:
    from caffe_proto.caffe_pb2 import LayerParameter

__all__ = ["ROWS"]


def _flatten(param: LayerParameter, bottoms: MaybeShapes) -> Shapes:
    """`Flatten`: the axes from `axis` to `end_axis` become one."""
    shape, (first, last) = bottoms[0], (param.flatten_param.axis, param.flatten_param.end_axis)
    if shape is None:
        return ((UNKNOWN,) * (first + 1),) if 0 <= first < MAX_AXES and last == -1 else ()
    start = canonical_axis(param.flatten_param.axis, len(shape))
    stop = canonical_axis(param.flatten_param.end_axis, len(shape)) + 1
    if start > stop:
        raise ValueError(f"axis {start} comes after end_axis {stop - 1}")
    return ((*shape[:start], math.prod(shape[start:stop]), *shape[stop:]),)


def _reshape(param: LayerParameter, bottoms: Shapes) -> Shapes:
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


def _permute(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """SSD's `Permute`: axes in the given `order`, then those that it leaves out."""
    return (_reordered(bottoms[0], optional(required(param, "permute_param"), "order") or ()),)


def _transpose(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """`Transpose`: axes in the order of `dim`."""
    order = required(required(param, "transpose_param"), "dim")
    if len(order) != len(bottoms[0]):
        raise ValueError(f"an order of {len(order)} axes for {len(bottoms[0])}")
    return (_reordered(bottoms[0], order),)


def _reordered(shape: Shape, order: tuple[int, ...]) -> Shape:
    if len(set(order)) != len(order) or not set(order) <= set(range(len(shape))):
        raise ValueError(f"order {order[:MAX_AXES]} does not permute {len(shape)} axes")
    return tuple(shape[axis] for axis in (*order, *(rest for rest in range(len(shape)) if rest not in order)))


def _reorganize(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """YOLO's `Reorg`: (N, C, H, W) to (N, C · s², H / s, W / s), or back with `reverse`."""
    num, channels, height, width = require_rank(bottoms[0], 4)
    settings = required(param, "reorg_param")
    stride = required(settings, "stride")
    if stride < 1:
        raise ValueError("the stride is less than 1")
    if optional(settings, "reverse"):
        return ((num, channels // stride**2, height * stride, width * stride),)
    return ((num, channels * stride**2, height // stride, width // stride),)


ROWS = {
    "Flatten":        Row(1, _flatten),
    "Reshape":        Row(1, of_known(_reshape)),
    "Permute":        Row(1, of_known(_permute)),
    "Reorg":          Row(1, of_known(_reorganize)),
    "Reverse":        SAME_SHAPE,
    "ShuffleChannel": SAME_SHAPE,
    "Transpose":      Row(1, of_known(_transpose)),
}  # fmt: skip
