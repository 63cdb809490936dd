"""The forks' layers that enlarge or resize images."""

from __future__ import annotations

from collections.abc import Sequence

from caffeconv.keras.building import Site
from caffeconv.keras.graph import Held, Value
from caffeconv.keras.rules.record import Rule
from caffeconv.net.shapes.params import optional
from caffeconv.net.shapes.windows import kernel_sizes, spatial_windows

__all__ = ["ROWS"]


def _interpolated(site: Site) -> Sequence[Value]:
    """DeepLab's Interp: bilinear, corner on corner, of what negative pads leave."""
    value, top = site.brought(site.inputs[0], "last"), site.top()
    settings = optional(site.layer.param, "interp_param")
    shape = value.held.shape
    if settings is None or shape is None or top is None or None in (*shape[1:], *top[1:]) or len(top) != 4:
        return site.unsupported("its sizes are not known")
    crop = tuple(-(optional(settings, name) or 0) for name in ("pad_beg", "pad_end"))
    site.note(
        f"interpolates bilinearly, corner on corner, to {top[2]}×{top[3]}: by a custom layer, Interpolate, which "
        "--format py writes; Keras' own Resizing and UpSampling2D put the corners elsewhere"
    )
    edge = site.call("Interpolate", value.edge, height=top[2], width=top[3], crop=crop)
    return (Value(edge, Held("last", top)),)


def _upsampled(site: Site) -> Sequence[Value]:
    """YOLO's Upsample: every pixel several times. SegNet's: each where its maximum stood."""
    if len(site.inputs) > 1:
        return _put_back(site)
    value = site.brought(site.inputs[0], "last")
    settings = optional(site.layer.param, "upsample_param")
    scale = optional(settings, "scale") if settings is not None else None
    if not scale or scale != int(scale):
        return site.unsupported("its scale is no whole number")
    size = (int(scale), int(scale))
    return (Value(site.call("UpSampling2D", value.edge, size=size), Held("last", site.top())),)


def _put_back(site: Site) -> Sequence[Value]:
    """Values put where a pooling of this net found the maxima."""
    value, mask = (site.brought(each, "last") for each in site.inputs[:2])
    top, pooling = site.top(), site.growing.nodes[mask.edge.node]
    if pooling.call is None or pooling.call.class_name != "PoolingMask":
        return site.unsupported(
            "its second bottom is not the second top of a pooling: the places it names are not known"
        )
    if top is None or len(top) != 4 or top[2] is None or top[3] is None:
        return site.unsupported("the size of its top is not known: give --input-shape")
    windows = {name: given for name, given in pooling.call.arguments if name != "ceil"}
    edge = site.call("Unpool", value.edge, mask.edge, *pooling.inputs, **windows, height=top[2], width=top[3])
    return (Value(edge, Held("last", top)),)


def _unpooled(site: Site) -> Sequence[Value]:
    """DeconvNet's Unpooling: by a mask, or each value in its window."""
    settings = optional(site.layer.param, "unpooling_param")
    method = _METHODS.get(settings.unpool) if settings is not None else None
    if method == "MAX" and len(site.inputs) > 1:
        return _put_back(site)
    value, top = site.brought(site.inputs[0], "last"), site.top()
    if method is None or top is None or len(top) != 4 or None in top[1:]:
        return site.unsupported("its method, or the size of its top, is not known")
    windows = spatial_windows(settings, 2, kernel_sizes(settings, 2))
    if any(any(window.pad) for window in windows):
        return site.unsupported("DeconvNet's Unpooling has no padding")
    kernels, strides = tuple(w.kernel for w in windows), tuple(w.stride for w in windows)
    edge = site.call(
        "Spread", value.edge, method=method, pool_size=kernels, strides=strides, height=top[2], width=top[3]
    )
    return (Value(edge, Held("last", top)),)


def _contradicted(site: Site) -> Sequence[Value]:
    return site.unsupported(
        "the forks that have an UnPooling contradict each other: a second bottom is a mask (MyCaffe) or but a size "
        "(ParseNet), MAX is a value at the begin of its window or a minimum; put a layer of your own in its place"
    )


_METHODS = {0: "MAX", 1: "AVE", 10009: "TILE"}
"""PoolingParameter.PoolMethod."""

ROWS = {
    "Interp":    Rule(build=_interpolated),
    "UnPooling": Rule(build=_contradicted),
    "Unpooling": Rule(build=_unpooled),
    "Upsample":  Rule(build=_upsampled),
}  # fmt: skip
