"""Convolutions and what is laid out for them: output shapes and parameter blobs."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from caffeconv.model import MAX_AXES, PartialShape, Shape
from caffeconv.net.shapes.axes import canonical_axis, require_rank, share_sizes
from caffeconv.net.shapes.params import optional, required
from caffeconv.net.shapes.row import NOT_KNOWN, MaybeShapes, Row, Shapes, of_known
from caffeconv.net.shapes.sizes import divided, size_of, with_bias
from caffeconv.net.shapes.windows import Window, convolution_windows, kernel_sizes, spatial_windows

if TYPE_CHECKING:
    from caffe_proto.caffe_pb2 import ConvolutionParameter, LayerParameter

__all__ = ["ROWS"]


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


def _convolution(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """`Convolution`: (N, C, spatial…) to (N, num_output, spatial…); every bottom gives a top."""
    return _convolve(param, bottoms, _convolved_size)


def _deconvolution(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """`Deconvolution`: (N, C, spatial…) to (N, num_output, spatial…); every bottom gives a top."""
    return _convolve(param, bottoms, _deconvolved_size)


def _convolve(param: LayerParameter, bottoms: Shapes, size_along: Callable[[Window, int], int]) -> Shapes:
    shape = share_sizes(bottoms)
    settings = param.convolution_param
    axis = canonical_axis(settings.axis, len(shape))
    windows = convolution_windows(settings, len(shape) - axis - 1)
    if settings.num_output < 1:
        raise ValueError("num_output is 0")
    if settings.group < 1 or shape[axis] % settings.group or settings.num_output % settings.group:
        raise ValueError(f"{shape[axis]} channels and {settings.num_output} outputs in {settings.group} groups")
    sizes = map(size_along, windows, shape[axis + 1 :])
    return ((*shape[:axis], settings.num_output, *sizes),) * len(bottoms)


def _depthwise_convolution(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """The forks' depthwise types: (N, C, H, W) to (N, num_output or C, H', W'); `num_output` is a multiple of C."""
    settings = param.convolution_param
    num, channels, *sizes = require_rank(bottoms[0], 4)
    outputs = settings.num_output or channels
    if outputs % channels:
        raise ValueError(f"{channels} channels give no {outputs} outputs")
    return ((num, outputs, *map(_convolved_size, convolution_windows(settings, 2), sizes)),)


def _im2col(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """`Im2col`: (N, C, spatial…) to (N, C · kernel elements, spatial…); every bottom gives a top."""
    shape = share_sizes(bottoms)
    settings = param.convolution_param
    axis = canonical_axis(settings.axis, len(shape))
    windows = convolution_windows(settings, len(shape) - axis - 1)
    channels = shape[axis] * math.prod(window.kernel for window in windows)
    return ((*shape[:axis], channels, *map(_convolved_size, windows, shape[axis + 1 :])),) * len(bottoms)


def _convolution_3d(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """C3D's `Convolution3D`: (N, C, L, H, W) to (N, num_output, L', H', W')."""
    num, _, *sizes = require_rank(bottoms[0], 5)
    settings = optional(param, "convolution3d_param") or param.convolution_param
    pad = optional(settings, "temporal_pad") or 0
    depth = Window(required(settings, "kernel_depth"), optional(settings, "temporal_stride") or 1, (pad, pad))
    windows = (depth, *convolution_windows(settings, 2))
    return ((num, settings.num_output, *map(_convolved_size, windows, sizes)),)


def _local(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """`Local`, a convolution without shared weights: (N, C, H, W) to (N, num_output, H', W')."""
    num, _, *sizes = require_rank(bottoms[0], 4)
    settings = required(param, "local_param")
    windows = spatial_windows(settings, 2, kernel_sizes(settings, 2))
    return ((num, required(settings, "num_output"), *map(_convolved_size, windows, sizes)),)


def _kernel(settings: ConvolutionParameter, bottom: Shape | None) -> Shape:
    """The spatial axes of a kernel; over an unknown bottom those of an image, unless the parameter says otherwise."""
    if bottom is not None:
        return kernel_sizes(settings, len(bottom) - canonical_axis(settings.axis, len(bottom)) - 1)
    given = max(map(len, (settings.kernel_size, settings.pad, settings.stride, settings.dilation)))
    axes = -settings.axis - 1 if settings.axis < 0 else given if given > 1 else 3 - settings.axis
    if not 0 <= axes < MAX_AXES:
        raise ValueError(f"a kernel with {axes} axes")
    return kernel_sizes(settings, axes)


def _convolution_blobs(param: LayerParameter, bottoms: MaybeShapes) -> Shapes:
    """Weights (O, C / group, kernel…), bias (O). `base_conv_layer.cpp`."""
    settings = param.convolution_param
    divided(settings.num_output, settings.group)
    inputs = divided(size_of(bottoms[0], settings.axis), settings.group)
    weights = (settings.num_output, inputs, *_kernel(settings, bottoms[0]))
    return with_bias(weights, settings.num_output, settings.bias_term)


def _deconvolution_blobs(param: LayerParameter, bottoms: MaybeShapes) -> Shapes:
    """Weights (C, O / group, kernel…), bias (O). `base_conv_layer.cpp` with `reverse_dimensions`."""
    settings = param.convolution_param
    inputs = size_of(bottoms[0], settings.axis)
    divided(inputs, settings.group)
    weights = (inputs, divided(settings.num_output, settings.group), *_kernel(settings, bottoms[0]))
    return with_bias(weights, settings.num_output, settings.bias_term)


def _depthwise_blobs(param: LayerParameter, bottoms: MaybeShapes) -> Shapes:
    """Weights (O, 1, kh, kw), bias (O), of the forks' types; O is `num_output`, or C where that is not given."""
    settings = param.convolution_param
    outputs = settings.num_output or size_of(bottoms[0], 1)
    return with_bias((outputs, 1, *kernel_sizes(settings, 2)), outputs, settings.bias_term)


def _convolution_3d_blobs(param: LayerParameter, bottoms: MaybeShapes) -> Shapes:
    """Weights (O, C, kernel_depth, k, k), bias (1, 1, 1, 1, O), of C3D."""
    settings = optional(param, "convolution3d_param") or param.convolution_param
    kernel = (required(settings, "kernel_depth"), *kernel_sizes(settings, 2))
    weights = (settings.num_output, size_of(bottoms[0], 1), *kernel)
    return (weights, (1, 1, 1, 1, settings.num_output)) if settings.bias_term else (weights,)


def _bottom_of_kernel(param: LayerParameter, kernel: Shape) -> PartialShape | None:
    """(O, C / group, k…) -> (N, C, axes…)."""
    settings = param.convolution_param
    if settings.axis != 1 or len(kernel) < 3:
        return None
    return None, kernel[1] * max(settings.group, 1), *(None for _ in kernel[2:])


def _bottom_of_transposed_kernel(param: LayerParameter, kernel: Shape) -> PartialShape | None:
    """(C, O / group, k…) -> (N, C, axes…)."""
    if param.convolution_param.axis != 1 or len(kernel) < 3:
        return None
    return None, kernel[0], *(None for _ in kernel[2:])


def _bottom_of_kernels(param: LayerParameter, kernel: Shape) -> PartialShape | None:
    """(O, 1, k…) of the forks' depthwise types -> (N, C, axes…); O may be a multiple of C."""
    return None, None, *(None for _ in kernel[2:])


ROWS = {
    "Convolution":          Row(1, of_known(_convolution), _convolution_blobs, bottom=_bottom_of_kernel),
    "Deconvolution":        Row(1, of_known(_deconvolution), _deconvolution_blobs, bottom=_bottom_of_transposed_kernel),
    "Im2col":               Row(1, of_known(_im2col)),
    "CConvolution":         Row(1, of_known(_convolution), bottom=_bottom_of_kernel),
    "Convolution3D":        Row(1, of_known(_convolution_3d), _convolution_3d_blobs),
    "ConvolutionBNFixed":   Row(1, of_known(_convolution)),
    "ConvolutionDepthwise": Row(1, of_known(_depthwise_convolution), _depthwise_blobs, bottom=_bottom_of_kernels),
    "Deconvolution3D":      NOT_KNOWN,
    "Local":                Row(1, of_known(_local)),
    "SqueezeConvolution":   Row(1, of_known(_convolution), bottom=_bottom_of_kernel),
}  # fmt: skip
