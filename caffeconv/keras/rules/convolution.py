"""Convolutions of every kind: plain, grouped, depthwise, transposed, in one, two or three dimensions."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, TypeAlias

from caffeconv.catalogue import LAYER_TYPES
from caffeconv.errors import UnsupportedError
from caffeconv.keras.building import Site
from caffeconv.keras.graph import Held, Value
from caffeconv.keras.rules.arrays import convolution_kernel, depthwise_kernel, dilated_kernel, grouped_to_dense, vector
from caffeconv.keras.rules.fixed_points import folded_and_rounded, is_enabled
from caffeconv.keras.rules.leading_axes import apart, axis_of_channels, behind_axis, can_be_joined, joined
from caffeconv.keras.rules.learning import as_stored, learned, rectified
from caffeconv.keras.rules.operands import bottom_shape, channel_count, check_size, decimal, take
from caffeconv.keras.rules.record import Context, Parts, Rule, channels_last
from caffeconv.keras.rules.wrapping import stored, without_masks
from caffeconv.model import Array, KerasCall, Layer, Weight
from caffeconv.net.shapes.params import optional, required
from caffeconv.net.shapes.windows import Window, convolution_windows, kernel_sizes, spatial_windows

__all__ = ["ROWS"]

_MOST_AXES = 3

Windows: TypeAlias = tuple[Window, ...]


def _plain(layer: Layer, context: Context) -> Parts:
    """W (out, in/group, k…), [b (out)] (`base_conv_layer.cpp`) -> kernel (k…, in/group, out), bias (out)."""
    kernel, *biases = _blobs(layer)
    group = _groups(layer, kernel)
    windows = _windows(layer, kernel)
    if group > 1 and kernel.shape[1] == 1 and context.depthwise == "depthwise" and _fits_depthwise(windows):
        return _depthwise(layer, kernel, biases, group, windows)
    return _convolution(layer, kernel, biases, group, windows)


def _per_channel(layer: Layer, context: Context) -> Parts:
    """W (C, 1, k…), [b (C)]: the forks' own types, which need not say `group`."""
    kernel, *biases = _blobs(layer)
    if kernel.shape[1] != 1:
        return _plain(layer, context)
    windows = _windows(layer, kernel)
    channels = channel_count(layer) or kernel.shape[0]
    if kernel.shape[0] % channels:
        raise UnsupportedError(f"{kernel.shape[0]} filters for {channels} channels")
    if context.depthwise == "conv2d" or not _fits_depthwise(windows):
        return _convolution(layer, kernel, biases, channels, windows)
    return _depthwise(layer, kernel, biases, channels, windows)


def _normalized_and_rounded(layer: Layer, context: Context) -> Parts:
    """Vitis' ConvolutionBNFixed: a convolution and its normalization in one, as numbers of few bits."""
    parts = _plain(folded_and_rounded(layer), context)
    rounded = " and rounded as Vitis does" if is_enabled(layer) else ""
    return dataclasses.replace(parts, notes=(*parts.notes, f"its normalization is folded into its kernel{rounded}"))


def _plain_3d(layer: Layer, _: Context) -> Parts:
    """W (out, in, depth, k, k), [b (out)] of C3D, whose first axis has parameters of its own -> as for images."""
    kernel, *biases = _blobs(layer)
    return _convolution(layer, kernel, biases, 1, _windows_3d(layer, kernel))


def _transposed_3d(layer: Layer, _: Context) -> Parts:
    """W (in, out, depth, k, k), [b (out)] of C3D -> as for images."""
    kernel, *biases = _blobs(layer, outputs_axis=1)
    return _deconvolution(layer, kernel, biases, _windows_3d(layer, kernel))


def _transposed(layer: Layer, _: Context) -> Parts:
    """W (in, out/group, k…), [b (out)] (`deconv_layer.cpp`) -> kernel (k…, out, in), bias (out).

    Groups and dilation become zeros in a dense kernel, padding becomes cropping.
    """
    kernel, *biases = _blobs(layer, outputs_axis=1)
    windows = _windows(layer, kernel)
    group = _groups(layer, kernel)
    if group == 1:
        return _deconvolution(layer, kernel, biases, windows)
    parts = _deconvolution(layer, grouped_to_dense(kernel, group), biases, windows)
    note = f"its {group} groups are expanded to one dense kernel with zeros, since Keras has no groups here"
    return dataclasses.replace(parts, notes=(*parts.notes, note))


def _blobs(layer: Layer, outputs_axis: int = 0) -> list[Array]:
    kernel, *biases = take(layer, 1, 2)
    if not 3 <= kernel.ndim <= 2 + _MOST_AXES:
        raise UnsupportedError(f"a kernel of shape {kernel.shape}: Keras convolves over one to three axes")
    outputs = kernel.shape[outputs_axis] * (_groups(layer, kernel) if outputs_axis else 1)
    for bias in biases:
        check_size("bias", bias, outputs)
    return [kernel, *biases]


def _groups(layer: Layer, kernel: Array) -> int:
    """The groups, which must divide axis 0 of a kernel: the outputs, or the inputs of a transposed convolution."""
    group = max(layer.param.convolution_param.group, 1)
    if kernel.shape[0] % group:
        raise UnsupportedError(f"a kernel of shape {kernel.shape} in {group} groups")
    return group


def _fits_depthwise(windows: Windows) -> bool:
    """Whether Keras' depthwise layers, which have at most two axes and one stride for both, can do it."""
    return len(windows) <= 2 and len({window.stride for window in windows}) == 1


def _windows(layer: Layer, kernel: Array) -> Windows:
    """The windows, one a spatial axis, held against the kernel itself."""
    try:
        windows = convolution_windows(layer.param.convolution_param, kernel.ndim - 2)
    except ValueError as error:
        raise UnsupportedError(str(error)) from error
    return _checked(windows, kernel)


def _windows_3d(layer: Layer, kernel: Array) -> Windows:
    """As `_windows`; the axis of time is not padded or moved along as the others are."""
    settings = optional(layer.param, "convolution3d_param") or layer.param.convolution_param
    pad, stride = optional(settings, "temporal_pad") or 0, optional(settings, "temporal_stride") or 1
    try:
        time = Window(required(settings, "kernel_depth"), stride, (pad, pad))
        windows = (time, *convolution_windows(settings, 2))
    except ValueError as error:
        raise UnsupportedError(str(error)) from error
    return _checked(windows, kernel)


def _checked(windows: Windows, kernel: Array) -> Windows:
    if tuple(window.kernel for window in windows) != kernel.shape[2:]:
        raise UnsupportedError(f"a kernel of shape {kernel.shape}, but kernel_size {[w.kernel for w in windows]}")
    if any(window.dilation < 1 for window in windows):
        raise UnsupportedError("a dilation of 0")
    return windows


def _convolution(layer: Layer, kernel: Array, biases: Sequence[Array], group: int, windows: Windows) -> Parts:
    arguments: dict[str, Any] = {"filters": kernel.shape[0], "kernel_size": _sizes(w.kernel for w in windows)}
    if group > 1:
        arguments["groups"] = group
    weights = (convolution_kernel(kernel), *_bias(biases))
    return _sliding(layer, "Conv", arguments, weights, windows)


def _depthwise(layer: Layer, kernel: Array, biases: Sequence[Array], channels: int, windows: Windows) -> Parts:
    arguments: dict[str, Any] = {"kernel_size": _sizes(w.kernel for w in windows)}
    if kernel.shape[0] != channels:
        arguments["depth_multiplier"] = kernel.shape[0] // channels
    weights = (depthwise_kernel(kernel, channels), *_bias(biases))
    return _sliding(layer, "DepthwiseConv", arguments, weights, windows)


def _sliding(
    layer: Layer, name: str, arguments: dict[str, Any], weights: tuple[Weight, ...], windows: Windows
) -> Parts:
    """The layer that slides over its input: padded before it, and thinned out behind it where it cannot stride.

    Keras refuses a stride and a dilation in one layer; a pooling over single values strides as well.
    """
    after: tuple[KerasCall, ...] = ()
    warnings: tuple[str, ...] = ()
    windows = _reached(layer, windows)
    if _strided(windows) and _dilated(windows):
        strides = tuple(window.stride for window in windows)
        after = (KerasCall(f"MaxPooling{len(windows)}D", (("pool_size", 1), ("strides", _sizes(strides)))),)
        if any(window.same for window in windows):
            warnings = ("TensorFlow's padding with stride and dilation together, which Keras does not compute",)
        windows = tuple(dataclasses.replace(window, stride=1) for window in windows)
    padding, before = _padding(windows)
    arguments |= {"padding": padding} | _strides(windows) | _dilation(windows)
    call = _call(f"{name}{len(windows)}D", arguments, weights)
    return Parts(call, weights, before, after, _axis_notes(layer), warnings)


def _reached(layer: Layer, windows: Windows) -> Windows:
    """The windows, padded behind where even the first sticks out by less than the stride, as Caffe lets it."""
    shape = bottom_shape(layer)
    if shape is None or len(shape) <= len(windows):
        return windows
    rooms = [0 if size is None else w.room(size) for w, size in zip(windows, shape[-len(windows) :], strict=True)]
    return tuple(
        dataclasses.replace(w, pad=(w.pad[0], w.pad[1] - room)) if -w.stride < room < 0 and not w.same else w
        for w, room in zip(windows, rooms, strict=True)
    )


def _deconvolution(layer: Layer, kernel: Array, biases: Sequence[Array], windows: Windows) -> Parts:
    notes = _axis_notes(layer)
    # Keras refuses a dilation where there is a stride, Keras 2 ignores it in three dimensions, and TensorFlow has none
    # on a CPU without oneDNN.
    if _dilated(windows):
        kernel = dilated_kernel(kernel, [window.dilation for window in windows])
        windows = tuple(dataclasses.replace(w, kernel=w.extent, dilation=1) for w in windows)
        notes = (*notes, "its dilation is written as zeros between the taps of its kernel, which every Keras computes")
    arguments: dict[str, Any] = {"filters": kernel.shape[1], "kernel_size": _sizes(w.kernel for w in windows)}
    arguments |= {"padding": "valid"} | _strides(windows)
    weights = (convolution_kernel(kernel), *_bias(biases))
    call = _call(f"Conv{len(windows)}DTranspose", arguments, weights)
    return Parts(call, weights, after=_cropping(windows), notes=notes)


def _call(name: str, arguments: dict[str, Any], weights: Sequence[Weight]) -> KerasCall:
    if len(weights) == 1:
        arguments["use_bias"] = False
    return KerasCall(name, tuple(arguments.items()))


def _bias(biases: Sequence[Array]) -> tuple[Weight, ...]:
    return tuple(vector("bias", blob) for blob in biases)


def _strided(windows: Windows) -> bool:
    return any(window.stride > 1 for window in windows)


def _dilated(windows: Windows) -> bool:
    return any(window.dilation > 1 for window in windows)


def _sizes(values: Any) -> int | tuple[int, ...]:
    """One number where all axes agree, as Keras takes it."""
    sizes = tuple(values)
    return sizes[0] if len(set(sizes)) == 1 else sizes


def _strides(windows: Windows) -> dict[str, Any]:
    return {"strides": _sizes(window.stride for window in windows)} if _strided(windows) else {}


def _dilation(windows: Windows) -> dict[str, Any]:
    return {"dilation_rate": _sizes(window.dilation for window in windows)} if _dilated(windows) else {}


def _padding(windows: Windows) -> tuple[str, tuple[KerasCall, ...]]:
    """Keras' `padding`, and a padding layer before it where neither "valid" nor "same" is what Caffe does.

    With a stride, "same" pads more behind than before, which Caffe never does.
    """
    if all(window.same for window in windows):
        return "same", ()
    if all(window.pad == (0, 0) for window in windows):
        return "valid", ()
    if all(w.stride == 1 and w.pad[0] == w.pad[1] and sum(w.pad) == w.extent - 1 for w in windows):
        return "same", ()
    pads = tuple(window.pad for window in windows)
    return "valid", (_edge_layer("ZeroPadding", "padding", pads),)


def _cropping(windows: Windows) -> tuple[KerasCall, ...]:
    """Keras gives stride·in + max(kernel − stride, 0) values, Caffe stride·(in − 1) + kernel − pads."""
    crops = tuple((w.pad[0], w.pad[1] + max(w.stride - w.extent, 0)) for w in windows)
    return (_edge_layer("Cropping", "cropping", crops),) if any(map(any, crops)) else ()


def _edge_layer(name: str, argument: str, edges: tuple[tuple[int, int], ...]) -> KerasCall:
    if len(edges) == 1:
        value: Any = edges[0]
    elif len({size for edge in edges for size in edge}) == 1:
        value = edges[0][0]
    else:
        value = edges
    return KerasCall(f"{name}{len(edges)}D", ((argument, value),))


def _axis_notes(layer: Layer) -> tuple[str, ...]:
    axis, shape = layer.param.convolution_param.axis, bottom_shape(layer)
    if axis < 0 and shape is not None:
        axis += len(shape)
    return () if axis == 1 else (f"convolves behind axis {axis}: the axes before it are one more batch in Keras",)


def _each(site: Site) -> Sequence[Value]:
    """Every bottom gives a top; behind another axis than the batch, the axes before it are one more batch."""
    rule, axis = ROWS[LAYER_TYPES[site.layer.type].like or site.layer.type], axis_of_channels(site)
    values = behind_axis(site, rule, axis) if axis != 1 else learned(dataclasses.replace(site, each_bottom=True), rule)
    param = site.layer.param
    if not param.convolution_param.relu:
        return values
    settings = param.relu_param if param.relu_param.HasField("negative_slope") else param.convolution_param
    return rectified(site, values, decimal(settings.negative_slope))


def _im2col(site: Site) -> Sequence[Value]:
    """Every window as a column (`im2col.cpp`)."""
    axis = axis_of_channels(site)
    if not all(axis >= 0 and can_be_joined(site, number, axis) for number in range(len(site.inputs))):
        return site.unsupported("the size of its bottom is not known: give --input-shape")
    made = []
    for number, bottom in enumerate(site.inputs):
        value = site.brought(bottom, "last") if axis == 1 else joined(site, bottom, axis)
        windows = convolution_windows(site.layer.param.convolution_param, len(value.held.shape or ()) - 2)
        edge = site.call(
            "Im2col", value.edge, name=str(number) if number else "",
            kernel=tuple(w.kernel for w in windows), strides=tuple(w.stride for w in windows),
            pads=tuple(w.pad for w in windows), dilations=tuple(w.dilation for w in windows),
        )  # fmt: skip
        top = Value(edge, Held("last", site.top(number)))
        made.append(top if axis == 1 else apart(site, edge, number, axis))
    return made


def _local(site: Site) -> Sequence[Value]:
    """A convolution that has weights of its own at each place; Keras 3 has no such layer."""
    value, settings = site.brought(site.inputs[0], "last"), optional(site.layer.param, "local_param")
    shape, top = value.held.shape, site.top()
    if settings is None or shape is None or len(shape) != 4 or top is None or None in (*shape[1:], *top[1:]):
        return as_stored(site, ROWS["Local"], "the size of its bottom, or of its windows, is not known")
    windows, places = spatial_windows(settings, 2, kernel_sizes(settings, 2)), top[2:]
    parts = stored("kernel", "bias")(site.layer, Context())
    values = (shape[1] or 0) * math.prod(window.kernel for window in windows)
    expected = ((top[1] or 0) * values, top[1] or 0)
    for weight, size in zip(parts.weights, expected, strict=False):
        check_size(weight.name, weight.view, size * math.prod(place or 0 for place in places))
    sizes = {"kernel_size": tuple(w.kernel for w in windows), "strides": tuple(w.stride for w in windows)}
    call = KerasCall("Local", (*sizes.items(), ("pads", tuple(w.pad for w in windows))))
    site.note("needs a layer of your own, or that of --format py: a convolution with weights of its own at each place")
    return (Value(site.add(call, (value.edge,), weights=parts.weights), Held("last", top)),)


_CONV = "Conv1D / Conv2D / Conv3D, DepthwiseConv1D / DepthwiseConv2D"
_DECONV = "Conv1DTranspose / Conv2DTranspose / Conv3DTranspose"
_DEPTHWISE = "DepthwiseConv1D / DepthwiseConv2D"
_KERNEL = "kernel, [bias]"
_ANY_KERNEL = "kernel or depthwise_kernel, [bias]"

_MAPS: dict[str, Any] = {"arrive": channels_last, "build": _each}

ROWS = {
    "Convolution": Rule("W, [b]", _CONV, _ANY_KERNEL, _plain, **_MAPS),
    "Deconvolution": Rule("W, [b]", _DECONV, _KERNEL, _transposed, **_MAPS),
    "Im2col": Rule(build=_im2col),
    "CConvolution": Rule("W, [b,] mask W, [mask b]", _CONV, _ANY_KERNEL, without_masks(_plain), **_MAPS),
    "Convolution3D": Rule("W, [b]", "Conv3D", _KERNEL, _plain_3d, **_MAPS),
    "ConvolutionBNFixed": Rule(
        "W, scale, bias, mean, variance", _CONV, _ANY_KERNEL, _normalized_and_rounded, **_MAPS
    ),
    "ConvolutionDepthwise": Rule("W, [b]", _DEPTHWISE, "depthwise_kernel, [bias]", _per_channel, **_MAPS),
    "Deconvolution3D": Rule("W, [b]", "Conv3DTranspose", _KERNEL, _transposed_3d, **_MAPS),
    "Local": Rule("W, [b]", "a layer of your own", _KERNEL, stored("kernel", "bias"), build=_local),
    "SqueezeConvolution": Rule(
        "W, [b,] mask W, [mask b,] statistics", _CONV, _ANY_KERNEL, without_masks(_plain, statistics=1), **_MAPS
    ),
}  # fmt: skip
