"""The parameter blobs that Caffe makes for a layer, in its order.

A row for each weighted type whose blobs are certain; shapes hold `None` where a size depends on an unknown bottom.
Each function cites the file under `src/caffe/layers` that makes the blobs.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeAlias

from caffeconv.model import MaybeShape, PartialShape
from caffeconv.net.shapes.axes import MAX_AXES, canonical_axis, declared_shape
from caffeconv.net.shapes.dense import require_plain
from caffeconv.net.shapes.params import optional, required
from caffeconv.net.shapes.windows import kernel_sizes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from caffe_proto.caffe_pb2 import ConvolutionParameter, LayerParameter

__all__ = ["EXPECTED", "UNCERTAIN"]

Bottoms: TypeAlias = tuple[MaybeShape, ...]
Blobs: TypeAlias = tuple[PartialShape, ...]
BlobRule: TypeAlias = "Callable[[LayerParameter, Bottoms], Blobs]"


def _size(shape: MaybeShape, axis: int) -> int | None:
    """The size of one axis, if it is known."""
    return shape[canonical_axis(axis, len(shape))] if shape is not None else None


def _count(shape: MaybeShape, axis: int) -> int | None:
    """The elements from `axis` on, if they are known."""
    return math.prod(shape[canonical_axis(axis, len(shape)) :]) if shape is not None else None


def _divided(size: int | None, group: int) -> int | None:
    if group < 1 or (size is not None and size % group):
        raise ValueError(f"{size} channels in {group} groups")
    return size // group if size is not None else None


def _kernel(settings: ConvolutionParameter, bottom: MaybeShape) -> PartialShape:
    """The spatial axes of a kernel; over an unknown bottom those of an image, unless the parameter says otherwise."""
    if bottom is not None:
        return kernel_sizes(settings, len(bottom) - canonical_axis(settings.axis, len(bottom)) - 1)
    given = max(map(len, (settings.kernel_size, settings.pad, settings.stride, settings.dilation)))
    axes = -settings.axis - 1 if settings.axis < 0 else given if given > 1 else 3 - settings.axis
    if not 0 <= axes < MAX_AXES:
        raise ValueError(f"a kernel with {axes} axes")
    return kernel_sizes(settings, axes)


def _with_bias(weights: PartialShape, outputs: int | None, bias_term: bool) -> Blobs:
    return (weights, (outputs,)) if bias_term else (weights,)


def _convolution(param: LayerParameter, bottoms: Bottoms) -> Blobs:
    """Weights (O, C / group, kernel…), bias (O). `base_conv_layer.cpp`."""
    settings = param.convolution_param
    _divided(settings.num_output, settings.group)
    inputs = _divided(_size(bottoms[0], settings.axis), settings.group)
    weights = (settings.num_output, inputs, *_kernel(settings, bottoms[0]))
    return _with_bias(weights, settings.num_output, settings.bias_term)


def _deconvolution(param: LayerParameter, bottoms: Bottoms) -> Blobs:
    """Weights (C, O / group, kernel…), bias (O). `base_conv_layer.cpp` with `reverse_dimensions`."""
    settings = param.convolution_param
    inputs = _size(bottoms[0], settings.axis)
    _divided(inputs, settings.group)
    weights = (inputs, _divided(settings.num_output, settings.group), *_kernel(settings, bottoms[0]))
    return _with_bias(weights, settings.num_output, settings.bias_term)


def _depthwise_convolution(param: LayerParameter, bottoms: Bottoms) -> Blobs:
    """Weights (O, 1, kh, kw), bias (O), of the forks' types; O is `num_output`, or C where that is not given."""
    settings = param.convolution_param
    outputs = settings.num_output or _size(bottoms[0], 1)
    return _with_bias((outputs, 1, *kernel_sizes(settings, 2)), outputs, settings.bias_term)


def _convolution_3d(param: LayerParameter, bottoms: Bottoms) -> Blobs:
    """Weights (O, C, kernel_depth, k, k), bias (1, 1, 1, 1, O), of C3D."""
    settings = optional(param, "convolution3d_param") or param.convolution_param
    kernel = (required(settings, "kernel_depth"), *kernel_sizes(settings, 2))
    weights = (settings.num_output, _size(bottoms[0], 1), *kernel)
    return (weights, (1, 1, 1, 1, settings.num_output)) if settings.bias_term else (weights,)


def _inner_product(param: LayerParameter, bottoms: Bottoms) -> Blobs:
    """Weights (N, K), or (K, N) with `transpose`, bias (N). `inner_product_layer.cpp`."""
    settings = param.inner_product_param
    outputs, inputs = settings.num_output, _count(bottoms[0], settings.axis)
    return _with_bias((inputs, outputs) if settings.transpose else (outputs, inputs), outputs, settings.bias_term)


def _margin_inner_product(param: LayerParameter, bottoms: Bottoms) -> Blobs:
    """Weights (N, K), no bias, of SphereFace."""
    settings = required(param, "margin_inner_product_param")
    axis = optional(settings, "axis")
    return ((required(settings, "num_output"), _count(bottoms[0], 1 if axis is None else axis)),)


def _batch_norm(param: LayerParameter, bottoms: Bottoms) -> Blobs:
    """Mean (C), variance (C), factor (1). `batch_norm_layer.cpp`."""
    channels = _size(bottoms[0], 1)
    return (channels,), (channels,), (1,)


def _scale(param: LayerParameter, bottoms: Bottoms) -> Blobs:
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


def _bias(param: LayerParameter, bottoms: Bottoms) -> Blobs:
    """Offsets along the shifted axes, unless a second bottom holds them. `bias_layer.cpp`."""
    if len(bottoms) > 1:
        return ()
    return (_scaled_axes(bottoms[0], param.bias_param.axis, param.bias_param.num_axes),)


def _scaled_axes(bottom: MaybeShape, axis: int, num_axes: int) -> PartialShape:
    """`num_axes` axes of the bottom from `axis` on, or all of them with -1."""
    if not -1 <= num_axes <= MAX_AXES:
        raise ValueError(f"num_axes is {num_axes}")
    if bottom is None:
        rank = num_axes if num_axes >= 0 else -axis
        if not 0 <= rank <= MAX_AXES or (num_axes < 0 and axis >= 0):
            raise ValueError("the number of axes depends on an unknown bottom")
        return (None,) * rank
    start = canonical_axis(axis, len(bottom))
    stop = len(bottom) if num_axes == -1 else start + num_axes
    if stop > len(bottom):
        raise ValueError(f"{num_axes} axes from axis {start} on are more than the bottom has")
    return bottom[start:stop]


def _prelu(param: LayerParameter, bottoms: Bottoms) -> Blobs:
    """Slopes (C), or one slope () if `channel_shared`. `prelu_layer.cpp`."""
    return ((),) if param.prelu_param.channel_shared else ((_size(bottoms[0], 1),),)


def _embed(param: LayerParameter, bottoms: Bottoms) -> Blobs:
    """Weights (input_dim, N), bias (N). `embed_layer.cpp`."""
    settings = param.embed_param
    return _with_bias((settings.input_dim, settings.num_output), settings.num_output, settings.bias_term)


def _lstm(param: LayerParameter, bottoms: Bottoms) -> Blobs:
    """W_xc (4H, D), b_c (4H), with a static input W_xc_static (4H, Ds), W_hc (4H, H). `lstm_layer.cpp`."""
    hidden = param.recurrent_param.num_output
    inputs, static = _recurrent_inputs(param, bottoms, states=2)
    statics = tuple((4 * hidden, size) for size in static)
    return (4 * hidden, inputs), (4 * hidden,), *statics, (4 * hidden, hidden)


def _rnn(param: LayerParameter, bottoms: Bottoms) -> Blobs:
    """W_xh (H, D), b_h (H), with a static input W_xh_static (H, Ds), W_hh (H, H), W_ho (H, H), b_o (H).

    `rnn_layer.cpp`.
    """
    hidden = param.recurrent_param.num_output
    inputs, static = _recurrent_inputs(param, bottoms, states=1)
    statics = tuple((hidden, size) for size in static)
    return (hidden, inputs), (hidden,), *statics, (hidden, hidden), (hidden, hidden), (hidden,)


def _recurrent_inputs(param: LayerParameter, bottoms: Bottoms, states: int) -> tuple[int | None, PartialShape]:
    """The size of an input, and that of the static input if there is one. `recurrent_layer.cpp`."""
    require_plain(param.recurrent_param)
    others = 2 + states * param.recurrent_param.expose_hidden
    static = (_count(bottoms[2], 1),) if len(bottoms) > others else ()
    return _count(bottoms[0], 2), static


def _parameter(param: LayerParameter, bottoms: Bottoms) -> Blobs:
    """The one blob that the layer puts out. `include/caffe/layers/parameter_layer.hpp`."""
    return (declared_shape(param.parameter_param.shape),)


def _normalize(param: LayerParameter, bottoms: Bottoms) -> Blobs:
    """SSD's factors (C), or () if `channel_shared`; the fork that knows no `norm_param` has no weights here."""
    settings = required(param, "norm_param")
    shared = optional(settings, "channel_shared")
    return ((),) if shared or shared is None else ((_size(bottoms[0], 1),),)


EXPECTED: Mapping[str, BlobRule] = {
    "BatchNorm":              _batch_norm,
    "Bias":                   _bias,
    "Convolution":            _convolution,
    "Convolution3D":          _convolution_3d,
    "ConvolutionDepthwise":   _depthwise_convolution,
    "ConvolutionRistretto":   _convolution,
    "Deconvolution":          _deconvolution,
    "DeconvolutionRistretto": _deconvolution,
    "DepthwiseConvolution":   _depthwise_convolution,
    "Embed":                  _embed,
    "FcRistretto":            _inner_product,
    "InnerProduct":           _inner_product,
    "LSTM":                   _lstm,
    "MarginInnerProduct":     _margin_inner_product,
    "Normalize":              _normalize,
    "PReLU":                  _prelu,
    "Parameter":              _parameter,
    "RNN":                    _rnn,
    "Scale":                  _scale,
}  # fmt: skip

UNCERTAIN = frozenset({
    "BN", "CConvolution", "CenterLoss", "CInnerProduct", "ConvolutionBNFixed", "FixedNeuron", "Local", "Lstm", "Mul",
    "Python", "SqueezeConvolution", "SqueezeInnerProduct", "SyncBN",
})  # fmt: skip
"""Types of the shape table that may have blobs, in layouts that differ from fork to fork or are not known."""
