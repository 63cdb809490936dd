"""Output shapes of layers that give every bottom element, or every item of a batch, a value of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from caffeconv.model import Shape
from caffeconv.net.shapes.axes import canonical_axis, checked, require_rank, share_sizes
from caffeconv.net.shapes.params import required

if TYPE_CHECKING:
    from caffe_proto.caffe_pb2 import LayerParameter

__all__ = [
    "axpy", "batch_norm", "bias", "eltwise", "first_bottom", "lrn", "multiply", "mvn", "prelu", "scale", "softmax",
    "split",
]  # fmt: skip

Shapes = tuple[Shape, ...]


def first_bottom(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """The shape of bottom 0: activations and normalizations."""
    return bottoms[:1]


def split(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """`Split`: the bottom's shape for every top."""
    return bottoms[:1] * len(param.top)


def eltwise(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """`Eltwise`: the one shape of all bottoms."""
    share_sizes(bottoms)
    coefficients = len(param.eltwise_param.coeff)
    if coefficients not in (0, len(bottoms)):
        raise ValueError(f"{coefficients} coefficients for {len(bottoms)} bottoms")
    return bottoms[:1]


def axpy(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """SENet's `Axpy`, a·x + y with a (N, C) or (N, C, 1, 1): the shape of x, which is bottom 1."""
    factor, scaled, added = bottoms[:3]
    share_sizes((scaled, added))
    if factor[:2] != scaled[:2] or any(size != 1 for size in factor[2:]):
        raise ValueError(f"factors of shape {factor} do not go with shape {scaled}")
    return (scaled,)


def multiply(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """`Mul` of a fork: bottom 0 times bottom 1, or a constant of `mul_shape`, where sizes of 1 are repeated."""
    shape = bottoms[0]
    other = bottoms[1] if len(bottoms) > 1 else checked(required(required(param, "mul_param"), "mul_shape"))
    rank = max(len(shape), len(other))
    pairs = zip((1,) * (rank - len(shape)) + shape, (1,) * (rank - len(other)) + other, strict=True)
    sizes = [set(pair) - {1} for pair in pairs]
    if any(len(size) > 1 for size in sizes):
        raise ValueError(f"shapes {shape} and {other} do not go together")
    return (tuple(max(size, default=1) for size in sizes),)


def softmax(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """`Softmax`: the bottom's shape."""
    canonical_axis(param.softmax_param.axis, len(bottoms[0]))
    return bottoms[:1]


def lrn(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """`LRN`: (N, C, H, W) as it is."""
    if param.lrn_param.local_size % 2 == 0:
        raise ValueError(f"local_size {param.lrn_param.local_size} is not odd")
    return (require_rank(bottoms[0], 4),)


def mvn(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """`MVN`: (N, C, H, W), 1-padded where the bottom has fewer axes."""
    shape = bottoms[0]
    if len(shape) > 4:
        raise ValueError(f"the bottom has {len(shape)} axes, at most 4 are allowed")
    return (shape + (1,) * (4 - len(shape)),)


def batch_norm(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """`BatchNorm`: (N, C, …) as it is."""
    canonical_axis(1, len(bottoms[0]))
    return bottoms[:1]


def prelu(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """`PReLU`: (N, C, …) as it is; Caffe stops at four axes, forks do not."""
    canonical_axis(1, len(bottoms[0]))
    return bottoms[:1]


def scale(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """`Scale`: the shape of bottom 0."""
    _check_second(bottoms, param.scale_param.axis)
    return bottoms[:1]


def bias(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """`Bias`: the shape of bottom 0."""
    _check_second(bottoms, param.bias_param.axis)
    return bottoms[:1]


def _check_second(bottoms: Shapes, axis: int) -> None:
    """Check that bottom 1, if there is one, lies along bottom 0 from `axis` on."""
    if len(bottoms) > 1 and bottoms[1]:
        start = canonical_axis(axis, len(bottoms[0]))
        if bottoms[0][start : start + len(bottoms[1])] != bottoms[1]:
            raise ValueError(f"bottoms of shapes {bottoms[0]} and {bottoms[1]} do not go together from axis {start} on")
