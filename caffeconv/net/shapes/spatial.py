"""Output shapes of what slides a window over an image: convolutions, poolings, and what is made of them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from caffeconv.model import Shape
from caffeconv.net.shapes.axes import canonical_axis, require_rank, share_sizes
from caffeconv.net.shapes.params import optional, required
from caffeconv.net.shapes.windows import Window, convolution_windows, kernel_sizes, pooling_windows, spatial_windows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from caffe_proto.caffe_pb2 import LayerParameter

__all__ = [
    "convolution", "convolution_3d", "deconvolution", "depthwise_convolution", "im2col", "local", "pooling",
    "pooling_3d", "spatial_pyramid_pooling",
]  # fmt: skip

Shapes = tuple[Shape, ...]

_FLOOR = 1  # PoolingParameter.FLOOR
_STOCHASTIC = 2  # PoolingParameter.STOCHASTIC


def _convolved_size(window: Window, size: int) -> int:
    """The size of a convolution's output along one axis; C++ division rounds towards zero."""
    if window.same:
        return -(-size // window.stride)
    room = window.room(size)
    return (room // window.stride if room >= 0 else -(-room // window.stride)) + 1


def _deconvolved_size(window: Window, size: int) -> int:
    """The size of a deconvolution's output along one axis."""
    if window.same:
        raise ValueError("the output size under pad_type is not known")
    return window.stride * (size - 1) + window.extent - sum(window.pad)


def _pooled_size(window: Window, size: int, ceil: bool) -> int:
    """The size of a pooling's output along one axis, before the last window is clipped."""
    if window.same:
        return -(-size // window.stride)
    room = window.room(size)
    return (-(-room // window.stride) if ceil else room // window.stride) + 1


def convolution(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """`Convolution`: (N, C, spatial…) to (N, num_output, spatial…); every bottom gives a top."""
    return _convolve(param, bottoms, _convolved_size)


def deconvolution(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """`Deconvolution`: (N, C, spatial…) to (N, num_output, spatial…); every bottom gives a top."""
    return _convolve(param, bottoms, _deconvolved_size)


def _convolve(param: LayerParameter, bottoms: Shapes, size_of: Callable[[Window, int], int]) -> Shapes:
    share_sizes(bottoms)
    settings = param.convolution_param
    shape = bottoms[0]
    axis = canonical_axis(settings.axis, len(shape))
    windows = convolution_windows(settings, len(shape) - axis - 1)
    if settings.num_output < 1:
        raise ValueError("num_output is 0")
    if settings.group < 1 or shape[axis] % settings.group or settings.num_output % settings.group:
        raise ValueError(f"{shape[axis]} channels and {settings.num_output} outputs in {settings.group} groups")
    sizes = map(size_of, windows, shape[axis + 1 :])
    return ((*shape[:axis], settings.num_output, *sizes),) * len(bottoms)


def depthwise_convolution(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """The forks' depthwise types: (N, C, H, W) to (N, num_output or C, H', W'); `num_output` is a multiple of C."""
    settings = param.convolution_param
    num, channels, *sizes = require_rank(bottoms[0], 4)
    outputs = settings.num_output or channels
    if outputs % channels:
        raise ValueError(f"{channels} channels give no {outputs} outputs")
    return ((num, outputs, *map(_convolved_size, convolution_windows(settings, 2), sizes)),)


def im2col(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """`Im2col`: (N, C, spatial…) to (N, C · kernel elements, spatial…); every bottom gives a top."""
    share_sizes(bottoms)
    settings = param.convolution_param
    shape = bottoms[0]
    axis = canonical_axis(settings.axis, len(shape))
    windows = convolution_windows(settings, len(shape) - axis - 1)
    channels = shape[axis] * math.prod(window.kernel for window in windows)
    return ((*shape[:axis], channels, *map(_convolved_size, windows, shape[axis + 1 :])),) * len(bottoms)


def pooling(param: LayerParameter, bottoms: Shapes) -> Shapes:
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
    top = (*shape[:2], *_pooled_sizes(windows, shape[2:], ceil))
    return top, top


def _pooled_sizes(windows: Sequence[Window], sizes: Sequence[int], ceil: bool) -> Iterable[int]:
    """Output sizes; with padding on any axis, a last window that starts beyond the input is dropped."""
    padded = any(any(window.pad) for window in windows)
    for window, size in zip(windows, sizes, strict=True):
        pooled = _pooled_size(window, size, ceil)
        yield pooled - 1 if padded and (pooled - 1) * window.stride >= size + window.pad[0] else pooled


def spatial_pyramid_pooling(param: LayerParameter, bottoms: Shapes) -> Shapes:
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


def convolution_3d(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """C3D's `Convolution3D`: (N, C, L, H, W) to (N, num_output, L', H', W')."""
    num, _, *sizes = require_rank(bottoms[0], 5)
    settings = optional(param, "convolution3d_param") or param.convolution_param
    pad = optional(settings, "temporal_pad") or 0
    depth = Window(required(settings, "kernel_depth"), optional(settings, "temporal_stride") or 1, (pad, pad))
    windows = (depth, *convolution_windows(settings, 2))
    return ((num, settings.num_output, *map(_convolved_size, windows, sizes)),)


def pooling_3d(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """C3D's `Pooling3D`: (N, C, L, H, W) to (N, C, L', H', W'), time unpadded and no window clipped."""
    shape = require_rank(bottoms[0], 5)
    settings = optional(param, "pooling3d_param") or param.pooling_param
    depth = Window(required(settings, "kernel_depth"), optional(settings, "temporal_stride") or 1)
    windows = (depth, *spatial_windows(settings, 2, kernel_sizes(settings, 2)))
    sizes = (_pooled_size(window, size, ceil=True) for window, size in zip(windows, shape[2:], strict=True))
    return ((*shape[:2], *sizes),)


def local(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """`Local`, a convolution without shared weights: (N, C, H, W) to (N, num_output, H', W')."""
    num, _, *sizes = require_rank(bottoms[0], 4)
    settings = required(param, "local_param")
    windows = spatial_windows(settings, 2, kernel_sizes(settings, 2))
    return ((num, required(settings, "num_output"), *map(_convolved_size, windows, sizes)),)
