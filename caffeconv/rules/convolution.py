"""Convolutions of every kind: plain, grouped, depthwise, transposed, in one, two or three dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from caffeconv.errors import UnsupportedError
from caffeconv.model import Array, KerasCall, Layer, Weight
from caffeconv.rules.arrays import convolution_kernel, depthwise_kernel, grouped_to_dense, vector
from caffeconv.rules.record import Context, Parts
from caffeconv.shapes.windows import Window, convolution_windows

__all__ = ["convolution", "deconvolution", "depthwise_convolution", "masked_convolution"]

_MOST_AXES = 3


def convolution(layer: Layer, context: Context) -> Parts:
    """W (out, in/group, k…), [b (out)] (`base_conv_layer.cpp`) -> kernel (k…, in/group, out), bias (out)."""
    kernel, *biases = _blobs(layer)
    group = max(layer.param.convolution_param.group, 1)
    windows = _windows(layer, kernel)
    depthwise = group > 1 and kernel.shape[1] == 1 and context.depthwise == "depthwise"
    if depthwise and len(windows) <= 2 and len({window.stride for window in windows}) == 1:
        return _depthwise(layer, kernel, biases, group, windows)
    return _convolution(layer, kernel, biases, group, windows)


def depthwise_convolution(layer: Layer, context: Context) -> Parts:
    """W (C, 1, k…), [b (C)]: the forks' own types, which need not say `group`."""
    kernel, *biases = _blobs(layer)
    if kernel.shape[1] != 1:
        return convolution(layer, context)
    windows = _windows(layer, kernel)
    shape = layer.bottom_shapes[0] if layer.bottom_shapes else None
    channels = kernel.shape[0] if shape is None or len(shape) < 2 else shape[1]
    if channels < 1 or kernel.shape[0] % channels:
        raise UnsupportedError(f"{kernel.shape[0]} filters for {channels} channels")
    if context.depthwise == "conv2d":
        return _convolution(layer, kernel, biases, channels, windows)
    return _depthwise(layer, kernel, biases, channels, windows)


def masked_convolution(layer: Layer, context: Context) -> Parts:
    """W, [b,] mask of W [, mask of b] of the pruning forks: the arrays with the masks multiplied in."""
    half = len(layer.blobs) // 2
    kept = [blob.array for blob in layer.blobs[:half]]
    masks = [blob.array for blob in layer.blobs[half:]]
    if len(masks) != half or any(a.shape != b.shape for a, b in zip(kept, masks, strict=True)):
        raise UnsupportedError(f"{len(layer.blobs)} blobs, which are not arrays and masks in equal numbers")
    kernel, *biases = (array * mask for array, mask in zip(kept, masks, strict=True))
    parts = _convolution(layer, kernel, biases, max(layer.param.convolution_param.group, 1), _windows(layer, kernel))
    return Parts(parts.keras, parts.weights, parts.before, parts.after, ("its pruning masks are multiplied in",))


def _blobs(layer: Layer) -> list[Array]:
    blobs = [blob.array for blob in layer.blobs]
    if len(blobs) > 2:
        raise UnsupportedError(f"{len(blobs)} blobs, expected a kernel and a bias")
    if len(blobs) == 2 and blobs[1].size != _outputs(layer, blobs[0]):
        raise UnsupportedError(f"a bias of shape {blobs[1].shape} for {_outputs(layer, blobs[0])} outputs")
    return blobs


def _outputs(layer: Layer, kernel: Array) -> int:
    if layer.type.startswith("Deconvolution") and kernel.ndim > 1:
        return kernel.shape[1] * max(layer.param.convolution_param.group, 1)
    return kernel.shape[0] if kernel.ndim else 0


def _windows(layer: Layer, kernel: Array) -> tuple[Window, ...]:
    """The windows, one a spatial axis, held against the kernel itself."""
    axes = kernel.ndim - 2
    if not 1 <= axes <= _MOST_AXES:
        raise UnsupportedError(f"a kernel of shape {kernel.shape}: Keras convolves over one to three axes")
    try:
        windows = convolution_windows(layer.param.convolution_param, axes)
    except ValueError as error:
        raise UnsupportedError(str(error)) from error
    if tuple(window.kernel for window in windows) != kernel.shape[2:]:
        raise UnsupportedError(f"a kernel of shape {kernel.shape}, but kernel_size {[w.kernel for w in windows]}")
    return windows


def _convolution(
    layer: Layer, kernel: Array, biases: Sequence[Array], group: int, windows: tuple[Window, ...]
) -> Parts:
    padding, before = _padding(windows)
    arguments: dict[str, Any] = {"filters": kernel.shape[0], "kernel_size": _sizes(w.kernel for w in windows)}
    arguments |= _strides(windows) | {"padding": padding} | _dilation(windows)
    if group > 1:
        arguments["groups"] = group
    weights = (convolution_kernel(kernel), *_bias(biases))
    return Parts(_call(f"Conv{len(windows)}D", arguments, biases), weights, before, notes=_axis_note(layer))


def _depthwise(
    layer: Layer, kernel: Array, biases: Sequence[Array], channels: int, windows: tuple[Window, ...]
) -> Parts:
    padding, before = _padding(windows)
    arguments: dict[str, Any] = {"kernel_size": _sizes(w.kernel for w in windows)}
    arguments |= _strides(windows) | {"padding": padding} | _dilation(windows)
    if kernel.shape[0] != channels:
        arguments["depth_multiplier"] = kernel.shape[0] // channels
    weights = (depthwise_kernel(kernel, channels), *_bias(biases))
    return Parts(_call(f"DepthwiseConv{len(windows)}D", arguments, biases), weights, before, notes=_axis_note(layer))


def deconvolution(layer: Layer, _: Context) -> Parts:
    """W (in, out/group, k…), [b (out)] (`deconv_layer.cpp`) -> kernel (k…, out, in), bias (out).

    Groups become zeros in a dense kernel, padding becomes cropping.
    """
    kernel, *biases = _blobs(layer)
    windows = _windows(layer, kernel)
    group = max(layer.param.convolution_param.group, 1)
    if kernel.shape[0] % group:
        raise UnsupportedError(f"{kernel.shape[0]} input channels in {group} groups")
    notes = list(_axis_note(layer))
    if group > 1:
        kernel = grouped_to_dense(kernel, group)
        notes.append(f"its {group} groups are expanded to one dense kernel with zeros, since Keras has no groups here")
    arguments: dict[str, Any] = {"filters": kernel.shape[1], "kernel_size": _sizes(w.kernel for w in windows)}
    arguments |= _strides(windows) | {"padding": "valid"} | _dilation(windows)
    weights = (convolution_kernel(kernel), *_bias(biases))
    warnings: tuple[str, ...] = ()
    if any(w.dilation > 1 for w in windows) and any(w.stride > 1 for w in windows):
        warnings = ("stride and dilation together, which Keras' transposed convolutions do not compute",)
    call = _call(f"Conv{len(windows)}DTranspose", arguments, biases)
    return Parts(call, weights, after=_cropping(windows), notes=tuple(notes), warnings=warnings)


def _call(name: str, arguments: dict[str, Any], biases: Sequence[Array]) -> KerasCall:
    if not biases:
        arguments["use_bias"] = False
    return KerasCall(name, tuple(arguments.items()))


def _bias(biases: Sequence[Array]) -> tuple[Weight, ...]:
    return tuple(vector("bias", blob) for blob in biases)


def _sizes(values: Any) -> int | tuple[int, ...]:
    """One number where all axes agree, as Keras takes it."""
    sizes = tuple(values)
    return sizes[0] if len(set(sizes)) == 1 else sizes


def _strides(windows: Sequence[Window]) -> dict[str, Any]:
    strides = _sizes(window.stride for window in windows)
    return {} if strides == 1 else {"strides": strides}


def _dilation(windows: Sequence[Window]) -> dict[str, Any]:
    dilation = _sizes(window.dilation for window in windows)
    return {} if dilation == 1 else {"dilation_rate": dilation}


def _padding(windows: Sequence[Window]) -> tuple[str, tuple[KerasCall, ...]]:
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


def _cropping(windows: Sequence[Window]) -> tuple[KerasCall, ...]:
    """Keras' transposed convolution gives stride·in + max(kernel − stride, 0), Caffe stride·(in − 1) + kernel − pads."""
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


def _axis_note(layer: Layer) -> tuple[str, ...]:
    axis = layer.param.convolution_param.axis
    return () if axis == 1 else (f"convolves behind axis {axis}: the axes before it are one more batch in Keras",)
