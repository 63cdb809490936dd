"""Poolings. Caffe rounds sizes up and lets the last window stick out; Keras rounds down (`pooling_layer.cpp`)."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from caffeconv.keras.building import Site
from caffeconv.keras.graph import Edge, Held, Value
from caffeconv.keras.rules.operands import word_of
from caffeconv.keras.rules.record import Rule
from caffeconv.model import Shape
from caffeconv.net.shapes.params import optional, required
from caffeconv.net.shapes.windows import Window, kernel_sizes, pooling_windows, spatial_windows

if TYPE_CHECKING:
    from caffe_proto.caffe_pb2 import PoolingParameter

__all__ = ["ROWS"]

_MAX, _AVERAGE, _STOCHASTIC = 0, 1, 2
_AVERAGE_INSIDE = (10000, 10001)
"""PoolingParameter.PoolMethod."""

Windows = tuple[Window, ...]


def _pooling(site: Site) -> Sequence[Value]:
    """The maxima or means and, if there is a second top, where the maxima stand."""
    if len(site.layer.tops) < 2:
        return _maps_pooled(site)
    param, shape = site.layer.param.pooling_param, site.inputs[0].held.shape
    known = shape is not None and len(shape) == 4 and None not in shape[2:]
    if param.pool != _MAX or (shape is not None and len(shape) != 4) or (param.global_pooling and not known):
        return site.unsupported(
            "its second top is where maxima stand in images, of a known size if it pools them whole"
        )
    value = site.brought(site.inputs[0], "last")
    windows = pooling_windows(param, tuple(size or 1 for size in (shape or (1,) * 4)[2:]))
    if any(window.same for window in windows):
        return site.unsupported("where the maxima stand under TensorFlow's padding is not known")
    tops = _maps_pooled(dataclasses.replace(site, inputs=(value,)))
    site.note(
        "its second top, where the maxima stand, is made by a custom layer, PoolingMask, which --format py writes"
    )
    pads = tuple(window.pad for window in windows)
    edge = site.call("PoolingMask", value.edge, name="mask", **_arguments(windows), pads=pads, ceil=_rounds_up(param))
    return (*tops[:1], Value(edge, Held("last", site.top(1))))


def _maps_pooled(site: Site) -> Sequence[Value]:
    param = site.layer.param.pooling_param
    value = site.brought(site.inputs[0], "last")
    shape, top = value.held.shape, site.top()
    rank = len(shape) if shape is not None else 4
    if not 3 <= rank <= 5 or value.held.layout not in ("last", "unknown"):
        return site.unsupported("Keras pools over one to three axes")
    if param.pool not in (_MAX, _AVERAGE, _STOCHASTIC, *_AVERAGE_INSIDE):
        return site.refused(f"pool: {word_of(param, 'pool')} is a fork's, which is not known", layout="last")
    held = Held("last", top)
    name = "Max" if param.pool == _MAX else "Average"
    if param.global_pooling:
        if param.pool == _STOCHASTIC:
            return _whole_maps_weighted(site, value)
        return (Value(site.call(f"Global{name}Pooling{rank - 2}D", value.edge, keepdims=True), held),)
    try:
        windows = pooling_windows(param, (1,) * (rank - 2))
    except ValueError as error:  # a fork's own words for the window of maps whose shape is not known
        return site.unsupported(f"its window is not known: {error}", layout="last")
    if any(window.same for window in windows):
        return _pooled_as_tensorflow(site, value, name, windows, held)
    edge = _pooled(site, value, param.pool, windows, _rounds_up(param))
    return (Value(edge, held),)


def _rounds_up(param: PoolingParameter) -> bool:
    ceil = optional(param, "ceil_mode")
    return param.round_mode == 0 if ceil is None else bool(ceil)


def _whole_maps_weighted(site: Site, value: Value) -> Sequence[Value]:
    sizes = (value.held.shape or (None,))[2:]
    if not sizes or None in sizes:
        return site.unsupported("stochastic pooling over whole maps, whose size is not known: give --input-shape")
    ones = (1,) * len(sizes)
    edge = site.call("WeightedPooling", value.edge, pool_size=tuple(sizes), strides=ones, ceil=False)
    return (Value(edge, Held("last", site.top())),)


def _pooled_as_tensorflow(site: Site, value: Value, name: str, windows: Windows, held: Held) -> Sequence[Value]:
    arguments = _arguments(windows) | {"padding": "same"}
    return (Value(site.call(f"{name}Pooling{len(windows)}D", value.edge, **arguments), held),)


def _pooled(site: Site, value: Value, method: int, windows: Windows, rounds_up: bool) -> Edge:
    """Keras' own pooling where it does just this, padded by a layer before it where that is enough, else a class."""
    sizes = (value.held.shape or ())[2:]
    axes = len(windows)
    strides, kernels = tuple(w.stride for w in windows), tuple(w.kernel for w in windows)
    pads = tuple(window.pad for window in windows)
    if method == _STOCHASTIC:
        return site.call("WeightedPooling", value.edge, pool_size=kernels, strides=strides, ceil=rounds_up)
    name = "MaxPooling" if method == _MAX else "AveragePooling"
    inside = method in _AVERAGE_INSIDE and any(map(any, pads))
    whole = _arguments(windows) | {"pads": pads, "ceil": rounds_up} | ({"inside": True} if inside else {})
    if None in sizes or len(sizes) != axes:
        fits = not rounds_up or all(kernel == stride == 1 for kernel, stride in zip(kernels, strides, strict=True))
        if fits and not any(map(any, pads)):
            return site.call(f"{name}{axes}D", value.edge, **_arguments(windows))
        site.note(
            f"pools maps of a size that is not known, by a custom layer, Caffe{name}, which --format py writes; "
            "--input-shape may let a layer of Keras do"
        )
        return site.call(f"Caffe{name}", value.edge, **whole)
    known: Shape = tuple(size for size in sizes if size is not None)
    pooled = [_pooled_size(*each, rounds_up, any(map(any, pads))) for each in zip(windows, known, strict=True)]
    needed = tuple(_needed(*each) for each in zip(windows, known, pooled, strict=True))
    if not any(map(any, needed)):
        return site.call(f"{name}{axes}D", value.edge, **_arguments(windows))
    # Not so a mean of what is inside: Keras on PyTorch counts what "same" pads.
    if method == _MAX and all(_is_same(*each) for each in zip(windows, known, pooled, needed, strict=True)):
        site.note(f"pools in Keras by {name}{axes}D(..., padding='same'), which pads as Caffe does here")
        return site.call(f"{name}{axes}D", value.edge, **_arguments(windows), padding="same")
    if method == _MAX:
        site.warn(
            "pools as Keras' own layers cannot alone: padded with the lowest number, which no maximum takes, by a "
            "custom layer, PadLowest, which --format py writes; zeros in its place differ where inputs are negative"
        )
        edge = site.call("PadLowest", value.edge, part="before", name="pad", pads=needed)
        return site.call(f"{name}{axes}D", edge, **_arguments(windows))
    if inside:
        site.warn(
            "pools as no layer of Keras does: what is padded does not count in its means (AVE_EXC_PAD), by a custom "
            "layer, CaffeAveragePooling, which --format py writes"
        )
        return site.call("CaffeAveragePooling", value.edge, **whole)
    if all(after == window.pad[1] for window, (_, after) in zip(windows, needed, strict=True)):
        padding = needed if axes > 1 else needed[0]
        edge = site.call(f"ZeroPadding{axes}D", value.edge, part="before", name="pad", padding=padding)
        return site.call(f"{name}{axes}D", edge, **_arguments(windows))
    site.warn(
        "pools as no layer of Keras does: its last windows stick out and are averaged over the part that is inside, "
        "by a custom layer, CaffeAveragePooling, which --format py writes"
    )
    return site.call("CaffeAveragePooling", value.edge, **whole)


def _arguments(windows: Windows) -> dict[str, Any]:
    return {"pool_size": tuple(w.kernel for w in windows), "strides": tuple(w.stride for w in windows)}


def _pooled_size(window: Window, size: int, rounds_up: bool, padded: bool) -> int:
    """How many windows Caffe has along one axis."""
    room = window.room(size)
    count = (-(-room // window.stride) if rounds_up else room // window.stride) + 1
    return count - 1 if padded and (count - 1) * window.stride >= size + window.pad[0] else count


def _needed(window: Window, size: int, pooled: int) -> tuple[int, int]:
    """What to put before and behind an axis so that as many windows fit as Caffe has, and no more."""
    before = window.pad[0]
    return before, max((pooled - 1) * window.stride + window.kernel - size - before, 0)


def _is_same(window: Window, size: int, pooled: int, needed: tuple[int, int]) -> bool:
    """Whether Keras' padding "same" is just that: as little as lets every stride begin a window, less of it before."""
    total = max((pooled - 1) * window.stride + window.kernel - size, 0)
    return pooled == -(-size // window.stride) and needed == (total // 2, total - total // 2)


def _pooling_3d(site: Site) -> Sequence[Value]:
    """C3D's Pooling3D: time is not padded, no window is clipped, sizes are rounded up."""
    value = site.brought(site.inputs[0], "last")
    settings = optional(site.layer.param, "pooling3d_param") or site.layer.param.pooling_param
    stride = optional(settings, "temporal_stride") or 1
    windows = (
        Window(required(settings, "kernel_depth"), stride),
        *spatial_windows(settings, 2, kernel_sizes(settings, 2)),
    )
    return (Value(_pooled(site, value, settings.pool, windows, rounds_up=True), Held("last", site.top())),)


def _pyramid(site: Site) -> Sequence[Value]:
    """SPP: poolings into 1, 4, 16 … bins, flattened one behind the other (`spp_layer.cpp`: GetPoolingParam)."""
    param = site.layer.param.spp_param
    value = site.brought(site.inputs[0], "last")
    shape = value.held.shape
    if shape is None or len(shape) != 4 or None in shape[1:] or param.pool not in (_MAX, _AVERAGE):
        return site.unsupported("the size of its bottom is not known")
    channels, *sizes = (size or 0 for size in shape[1:])
    edges, segments = [], []
    for level in range(param.pyramid_height):
        bins = 2**level
        windows = []
        for size in sizes:
            kernel = -(-size // bins)
            pad = (kernel * bins - size + 1) // 2
            windows.append(Window(kernel, kernel, (pad, pad)))
        edge = _pooled(_named(site, f"level{level}"), value, param.pool, tuple(windows), rounds_up=True)
        if param.pyramid_height == 1:
            return (Value(edge, Held("last", site.top())),)
        flat = site.call("Flatten", edge, part="before", name=f"flatten{level}")
        edges.append(flat)
        segments.append((channels, bins, bins))
    edge = site.call("Concatenate", *edges, axis=1)
    return (Value(edge, Held("flat", site.top(), tuple(segments))),)


def _named(site: Site, name: str) -> Site:
    return dataclasses.replace(site, layer=dataclasses.replace(site.layer, name=f"{site.layer.name}_{name}"))


ROWS = {
    "Pooling":   Rule(build=_pooling),
    "SPP":       Rule(build=_pyramid),
    "Pooling3D": Rule(build=_pooling_3d),
}  # fmt: skip
