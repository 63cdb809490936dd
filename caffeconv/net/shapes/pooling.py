"""Poolings: output shapes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from caffeconv.net.shapes.axes import require_rank
from caffeconv.net.shapes.params import optional, required
from caffeconv.net.shapes.row import Row, Shapes, of_known
from caffeconv.net.shapes.windows import Window, kernel_sizes, pooling_windows, spatial_windows

if TYPE_CHECKING:
    from caffe_proto.caffe_pb2 import LayerParameter

__all__ = ["ROWS"]

_FLOOR = 1  # PoolingParameter.FLOOR
_STOCHASTIC = 2  # PoolingParameter.STOCHASTIC


def _pooling(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """`Pooling`: (N, C, H, W) to (N, C, H', W'), and a mask of the same shape.

    Caffe pools images only; forks with more axes give the kernel of each.
    """
    settings = param.pooling_param
    given = optional(settings, "kernel_size")
    axes = len(given) if isinstance(given, tuple) and len(given) > 1 else 2
    shape = require_rank(bottoms[0], 2 + axes)
    windows = pooling_windows(settings, shape[2:])
    padded = any(any(window.pad) for window in windows)
    if padded and settings.pool == _STOCHASTIC:
        raise ValueError("stochastic pooling has no padding")
    if padded and any(max(window.pad) >= window.kernel for window in windows):
        raise ValueError("the padding is not smaller than the kernel")
    ceil = optional(settings, "ceil_mode")
    if ceil is None:
        ceil = settings.round_mode != _FLOOR
    sizes = (1,) * axes if settings.global_pooling else tuple(_pooled_sizes(windows, shape[2:], ceil))
    top = (*shape[:2], *sizes)
    return top, top


def _pooled_sizes(windows: Sequence[Window], sizes: Sequence[int], ceil: bool) -> Iterable[int]:
    """Output sizes; with padding on any axis, a last window that starts beyond the input is dropped."""
    padded = any(any(window.pad) for window in windows)
    for window, size in zip(windows, sizes, strict=True):
        pooled = _pooled_size(window, size, ceil)
        yield pooled - 1 if padded and (pooled - 1) * window.stride >= size + window.pad[0] else pooled


def _pooled_size(window: Window, size: int, ceil: bool) -> int:
    """The size of a pooling's output along one axis, before the last window is clipped."""
    if window.same:
        return -(-size // window.stride)
    room = window.room(size)
    return (-(-room // window.stride) if ceil else room // window.stride) + 1


def _spatial_pyramid_pooling(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """`SPP`: (N, C, H, W) to (N, C · Σ 4^level), or to (N, C, 1, 1) with one level.

    Level `l` pools into 2^l by 2^l bins; Caffe refuses more bins than can be filled
    (`src/caffe/layers/spp_layer.cpp: GetPoolingParam`).
    """
    num, channels, *sizes = require_rank(bottoms[0], 4)
    height = param.spp_param.pyramid_height
    if height < 1:
        raise ValueError("pyramid_height is 0")
    bins = 0
    for level in range(height):
        for size in sizes:
            kernel = -(-size // 2**level)
            if (kernel * 2**level - size + 1) // 2 >= kernel:
                raise ValueError(f"a side of {size} is too small for {2**level} bins")
        bins += 4**level
    return ((num, channels, 1, 1) if height == 1 else (num, channels * bins),)


def _pooling_3d(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """C3D's `Pooling3D`: (N, C, L, H, W) to (N, C, L', H', W'), time unpadded and no window clipped."""
    shape = require_rank(bottoms[0], 5)
    settings = optional(param, "pooling3d_param") or param.pooling_param
    depth = Window(required(settings, "kernel_depth"), optional(settings, "temporal_stride") or 1)
    windows = (depth, *spatial_windows(settings, 2, kernel_sizes(settings, 2)))
    sizes = (_pooled_size(window, size, ceil=True) for window, size in zip(windows, shape[2:], strict=True))
    return ((*shape[:2], *sizes),)


ROWS = {
    "Pooling":   Row(1, of_known(_pooling)),
    "SPP":       Row(1, of_known(_spatial_pyramid_pooling)),
    "Pooling3D": Row(1, of_known(_pooling_3d)),
}  # fmt: skip
