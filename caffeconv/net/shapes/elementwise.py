"""What combines blobs value by value, and factors and offsets along axes: output shapes and parameter blobs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from caffeconv.model import MAX_AXES, Shape
from caffeconv.net.shapes.axes import UNKNOWN, agree, canonical_axis, checked, merged_sizes, share_sizes
from caffeconv.net.shapes.params import required
from caffeconv.net.shapes.row import SAME_SHAPE, MaybeShapes, Row, Shapes, of_known

if TYPE_CHECKING:
    from caffe_proto.caffe_pb2 import LayerParameter

__all__ = ["ROWS"]


def _eltwise(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """`Eltwise`: the one shape of all bottoms."""
    shape = share_sizes(bottoms)
    coefficients = len(param.eltwise_param.coeff)
    if coefficients not in (0, len(bottoms)):
        raise ValueError(f"{coefficients} coefficients for {len(bottoms)} bottoms")
    return (shape,)


def _scale(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """`Scale`: the shape of bottom 0."""
    _check_second(bottoms, param.scale_param.axis)
    return bottoms[:1]


def _bias(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """`Bias`: the shape of bottom 0."""
    _check_second(bottoms, param.bias_param.axis)
    return bottoms[:1]


def _check_second(bottoms: Shapes, axis: int) -> None:
    """Check that bottom 1, if there is one, lies along bottom 0 from `axis` on."""
    if len(bottoms) > 1 and bottoms[1]:
        start = canonical_axis(axis, len(bottoms[0]))
        if not agree(bottoms[0][start : start + len(bottoms[1])], bottoms[1]):
            raise ValueError(f"bottoms of shapes {bottoms[0]} and {bottoms[1]} do not go together from axis {start} on")


def _axpy(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """SENet's `Axpy`, a·x + y with a (N, C) or (N, C, 1, 1): the shape of x, which is bottom 1."""
    factor, scaled, added = bottoms[:3]
    shape = share_sizes((scaled, added))
    if not agree(factor[:2], shape[:2]) or any(size != 1 for size in factor[2:]):
        raise ValueError(f"factors of shape {factor} do not go with shape {scaled}")
    return (merged_sizes((shape, (*factor[:2], *shape[2:]))),)


def _multiply(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """`Mul` of a fork: bottom 0 times bottom 1, or a constant of `mul_shape`, where sizes of 1 are repeated."""
    shape = bottoms[0]
    other = bottoms[1] if len(bottoms) > 1 else checked(required(required(param, "mul_param"), "mul_shape"))
    rank = max(len(shape), len(other))
    pairs = zip((1,) * (rank - len(shape)) + shape, (1,) * (rank - len(other)) + other, strict=True)
    sizes = [[size for size in pair if size is UNKNOWN or size != 1] or [1] for pair in pairs]
    if any(each[0] != each[-1] for each in sizes):
        raise ValueError(f"shapes {shape} and {other} do not go together")
    return (tuple(next((size for size in each if size is not UNKNOWN), UNKNOWN) for each in sizes),)


def _scale_blobs(param: LayerParameter, bottoms: MaybeShapes) -> Shapes:
    """Factors and, with `bias_term`, offsets, both along the scaled axes; a second bottom replaces the factors.

    `scale_layer.cpp`.
    """
    settings = param.scale_param
    if len(bottoms) > 1:
        if settings.bias_term and bottoms[1] is None:
            raise ValueError("the shape of the offsets is that of an unknown bottom")
        return (bottoms[1],) if settings.bias_term and bottoms[1] is not None else ()
    shape = _scaled_axes(bottoms[0], settings.axis, settings.num_axes)
    return (shape, shape) if settings.bias_term else (shape,)


def _bias_blobs(param: LayerParameter, bottoms: MaybeShapes) -> Shapes:
    """Offsets along the shifted axes, unless a second bottom holds them. `bias_layer.cpp`."""
    if len(bottoms) > 1:
        return ()
    return (_scaled_axes(bottoms[0], param.bias_param.axis, param.bias_param.num_axes),)


def _scaled_axes(bottom: Shape | None, axis: int, num_axes: int) -> Shape:
    """`num_axes` axes of the bottom from `axis` on, or all of them with -1."""
    if not -1 <= num_axes <= MAX_AXES:
        raise ValueError(f"num_axes is {num_axes}")
    if bottom is None:
        rank = num_axes if num_axes >= 0 else -axis
        if not 0 <= rank <= MAX_AXES or (num_axes < 0 and axis >= 0):
            raise ValueError("the number of axes depends on an unknown bottom")
        return (UNKNOWN,) * rank
    start = canonical_axis(axis, len(bottom))
    stop = len(bottom) if num_axes == -1 else start + num_axes
    if stop > len(bottom):
        raise ValueError(f"{num_axes} axes from axis {start} on are more than the bottom has")
    return bottom[start:stop]


def _with_one_number(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """happynear's `ChannelScale`: the shape of bottom 0, and the one number that may scale it all."""
    return bottoms[0], (1,)


ROWS = {
    "Bias":          Row(1, of_known(_bias), _bias_blobs),
    "Eltwise":       Row(1, of_known(_eltwise)),
    "Scale":         Row(1, of_known(_scale), _scale_blobs),
    "Axpy":          Row(3, of_known(_axpy)),
    "ChannelScale":  Row(1, of_known(_with_one_number)),
    "EltwiseAffine": SAME_SHAPE,
    "Mul":           Row(1, of_known(_multiply)),
}  # fmt: skip
