"""The forks' layers that enlarge or resize images: output shapes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from caffeconv.model import MAX_COUNT
from caffeconv.net.shapes.axes import require_rank
from caffeconv.net.shapes.params import optional, required
from caffeconv.net.shapes.row import NOT_KNOWN, Row, Shapes, of_known

if TYPE_CHECKING:
    from caffe_proto.caffe_pb2 import LayerParameter

__all__ = ["ROWS"]


def _upsample(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """`Upsample` of YOLO (by `scale`) and SegNet (to `upsample_h` and `upsample_w`, or by factors, less `pad_out`)."""
    settings = required(param, "upsample_param")
    *outer, height, width = require_rank(bottoms[0], 4)
    if optional(settings, "upsample_h") is not None:
        return ((*outer, required(settings, "upsample_h"), required(settings, "upsample_w")),)
    if optional(settings, "scale_h") is not None:
        factors = required(settings, "scale_h"), required(settings, "scale_w")
    else:
        factors = (required(settings, "scale"),) * 2
    if not all(1 <= factor <= MAX_COUNT and factor == int(factor) for factor in factors):
        raise ValueError("the scale is not a whole number")
    pads = (int(optional(settings, name) or 0) for name in ("pad_out_h", "pad_out_w"))
    sizes = zip((height, width), factors, pads, strict=True)
    return ((*outer, *(size * int(factor) - pad for size, factor, pad in sizes)),)


def _interpolation(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """DeepLab's `Interp`: cropped by the negative pads, then shrunk and zoomed, or resized.

    The new size is `height` and `width`, or that of bottom 1 where a fork passes one.
    """
    settings = required(param, "interp_param")
    outer, sizes = bottoms[0][:2], require_rank(bottoms[0], 4)[2:]
    shrink, zoom = optional(settings, "shrink_factor"), optional(settings, "zoom_factor")
    target = optional(settings, "height"), optional(settings, "width")
    if None not in target and (shrink is None) == (zoom is None):
        return ((*outer, *target),)
    if shrink is None and zoom is None:
        if len(bottoms) < 2:
            raise ValueError("neither factors nor a size are given")
        return ((*outer, *require_rank(bottoms[1], 4)[2:]),)
    pad = (optional(settings, "pad_beg") or 0) + (optional(settings, "pad_end") or 0)
    return ((*outer, *(_resized(size + pad, shrink or 1, zoom or 1) for size in sizes)),)


def _resized(size: int, shrink: int, zoom: int) -> int:
    """Every `shrink`-th of `size` samples, with `zoom` - 1 new ones between each two."""
    return (size - 1) // shrink * zoom + 1


def _unpooling(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """DeconvNet's `Unpooling`: to `unpool_size` or `unpool_h` and `unpool_w`."""
    settings = required(param, "unpooling_param")
    size = optional(settings, "unpool_size")
    sizes = (size, size) if size is not None else (required(settings, "unpool_h"), required(settings, "unpool_w"))
    return ((*require_rank(bottoms[0], 4)[:2], *sizes),)


ROWS = {
    "Interp":    Row(1, of_known(_interpolation)),
    "UnPooling": NOT_KNOWN,
    "Unpooling": Row(1, of_known(_unpooling)),
    "Upsample":  Row(1, of_known(_upsample)),
}  # fmt: skip
