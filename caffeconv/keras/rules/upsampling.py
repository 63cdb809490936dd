"""The forks' layers that enlarge or resize images."""

from __future__ import annotations

from collections.abc import Sequence

from caffeconv.keras.building import Site
from caffeconv.keras.graph import Held, Value
from caffeconv.keras.rules.record import Rule
from caffeconv.net.shapes.params import optional

__all__ = ["ROWS"]


def _interpolated(site: Site) -> Sequence[Value]:
    """DeepLab's Interp: bilinear, corner on corner, of what negative pads leave."""
    value, top = site.brought(site.inputs[0], "last"), site.top()
    settings = optional(site.layer.param, "interp_param")
    shape = value.held.shape
    if settings is None or shape is None or top is None or None in (*shape[1:], *top[1:]) or len(top) != 4:
        return site.unsupported("its sizes are not known")
    crop = tuple(-(optional(settings, name) or 0) for name in ("pad_beg", "pad_end"))
    edge = site.call("Interpolate", value.edge, height=top[2], width=top[3], crop=crop)
    return (Value(edge, Held("last", top)),)


def _upsampled(site: Site) -> Sequence[Value]:
    """YOLO's Upsample: every pixel several times."""
    value = site.brought(site.inputs[0], "last")
    settings = optional(site.layer.param, "upsample_param")
    scale = optional(settings, "scale") if settings is not None else None
    if len(site.inputs) > 1 or not scale or scale != int(scale):
        return site.unsupported("it puts values where a pooling found them, or its scale is no whole number")
    size = (int(scale), int(scale))
    return (Value(site.call("UpSampling2D", value.edge, size=size), Held("last", site.top())),)


ROWS = {
    "Interp":    Rule(build=_interpolated, channels="kept"),
    "UnPooling": Rule(),
    "Unpooling": Rule(),
    "Upsample":  Rule(build=_upsampled, channels="kept"),
}  # fmt: skip
