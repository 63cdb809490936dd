"""The sliding windows of convolutions and poolings: one for each spatial axis, whatever way they are spelled.

`kernel_size`, `pad`, `stride` and `dilation` are given once for all axes or once for each; with two spatial axes
`kernel_h`/`kernel_w` and their like stand in for them (`src/caffe/layers/base_conv_layer.cpp`, `pooling_layer.cpp`).
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from caffeconv.model import MAX_COUNT
from caffeconv.net.shapes.params import optional

if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.protobuf.message import Message

    from caffe_proto.caffe_pb2 import ConvolutionParameter, PoolingParameter
    from caffeconv.model import Shape

__all__ = ["Window", "convolution_windows", "kernel_sizes", "pooling_windows", "spatial_windows"]

_PER_AXIS = {
    "kernel_size": ("kernel_h", "kernel_w"),
    "pad": ("pad_h", "pad_w"),
    "stride": ("stride_h", "stride_w"),
    "dilation": ("dilation_h", "dilation_w"),
    "hole": ("hole_h", "hole_w"),
    "filter_stride": ("filter_stride_h", "filter_stride_w"),
}
_DILATIONS = ("dilation", "hole", "filter_stride")  # Caffe's word, DeepLab's, ParseNet's
_SIDES = (("pad_t", "pad_b"), ("pad_l", "pad_r"))


@dataclasses.dataclass(frozen=True)
class Window:
    """What slides along one axis. `same` stands for TensorFlow's padding of that name, where a fork has it."""

    kernel: int
    stride: int = 1
    pad: tuple[int, int] = (0, 0)
    dilation: int = 1
    same: bool = False

    def __post_init__(self) -> None:
        if self.kernel < 1:
            raise ValueError("the kernel has size 0")
        if self.stride < 1:
            raise ValueError("the stride is 0")
        if max(self.kernel, self.stride, *self.pad, self.dilation) > MAX_COUNT:
            raise ValueError("a kernel, pad, stride or dilation is beyond the range of Caffe's int")

    @property
    def extent(self) -> int:
        """How many elements the window spans, holes included."""
        return self.dilation * (self.kernel - 1) + 1

    def room(self, size: int) -> int:
        """How far the window can move over a padded axis of `size`."""
        return size + sum(self.pad) - self.extent


def convolution_windows(param: ConvolutionParameter, spatial_axes: int) -> tuple[Window, ...]:
    """The windows of a convolution over `spatial_axes` axes."""
    return spatial_windows(param, spatial_axes, kernel_sizes(param, spatial_axes))


def pooling_windows(param: PoolingParameter, sizes: Shape) -> tuple[Window, ...]:
    """The windows of a pooling over spatial axes of `sizes`."""
    if not param.global_pooling:
        return spatial_windows(param, len(sizes), kernel_sizes(param, len(sizes)))
    if any(optional(param, name) is not None for name in ("kernel_size", "kernel_h", "kernel_w")):
        raise ValueError("global_pooling and a kernel size exclude each other")
    windows = spatial_windows(param, len(sizes), sizes)
    if any(window.pad != (0, 0) or window.stride != 1 for window in windows):
        raise ValueError("global_pooling goes with pad 0 and stride 1 only")
    return windows


def kernel_sizes(param: Message, spatial_axes: int) -> Shape:
    """The kernel of a convolution or pooling, one size for each spatial axis."""
    return _each_axis(param, "kernel_size", spatial_axes)


def spatial_windows(param: Message, spatial_axes: int, kernel: Shape) -> tuple[Window, ...]:
    """Windows of sizes `kernel`, the rest of them as `param` says."""
    stride = _each_axis(param, "stride", spatial_axes, 1)
    pad = _pads(param, spatial_axes)
    dilation = _each_axis(param, _spelling(param, _DILATIONS), spatial_axes, 1)
    same = bool(optional(param, "pad_type"))
    return tuple(Window(*each, same=same) for each in zip(kernel, stride, pad, dilation, strict=True))


def _pads(param: Message, spatial_axes: int) -> tuple[tuple[int, int], ...]:
    """Padding before and after; forks may give the four sides of an image one by one."""
    sides = tuple((optional(param, before) or 0, optional(param, after) or 0) for before, after in _SIDES)
    if any(map(any, sides)) and spatial_axes == len(sides):
        return sides
    return tuple((pad, pad) for pad in _each_axis(param, "pad", spatial_axes, 0))


def _spelling(param: Message, names: Sequence[str]) -> str:
    """The one of several names of a setting that a parameter uses."""
    used = (name for name in names if any(optional(param, each) is not None for each in (name, *_PER_AXIS[name])))
    return next(used, names[0])


def _each_axis(param: Message, name: str, spatial_axes: int, default: int | None = None) -> Shape:
    """A setting that is given once, once for each axis, or under the names of the two axes of an image."""
    given = optional(param, name)
    values: Sequence[int] = () if given is None else given if isinstance(given, tuple) else (given,)
    spelled = [optional(param, axis) for axis in _PER_AXIS[name]]
    if any(value is not None for value in spelled):
        if values:
            raise ValueError(f"{name} and {' or '.join(_PER_AXIS[name])} exclude each other")
        values = [value or 0 for value in spelled]
        if spatial_axes != len(values):
            raise ValueError(f"{' and '.join(_PER_AXIS[name])} are for 2 spatial axes, not {spatial_axes}")
    if not values:
        if default is None:
            raise ValueError(f"{name} is not given")
        return (default,) * spatial_axes
    if len(values) not in (1, spatial_axes):
        raise ValueError(f"{len(values)} values of {name} for {spatial_axes} spatial axes")
    return tuple(values) if len(values) == spatial_axes else (values[0],) * spatial_axes
