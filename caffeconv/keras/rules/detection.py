"""The forks' layers for object detection."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from caffeconv.keras.building import Site
from caffeconv.keras.graph import Held, Value
from caffeconv.keras.rules.record import Rule
from caffeconv.net.shapes.detection import aspect_ratios
from caffeconv.net.shapes.params import optional

__all__ = ["ROWS"]

_VARIANCE = 0.1  # SSD's, where none is given


def _prior_box(site: Site) -> Sequence[Value]:
    """SSD's priors: for each min_size the square, the one up to its max_size, and those of the other ratios."""
    settings = optional(site.layer.param, "prior_box_param")
    if settings is None or site.top() is None:
        return site.unsupported("its boxes are not known")
    ratios = aspect_ratios(settings)
    smallest, largest = (optional(settings, name) or () for name in ("min_size", "max_size"))
    if min(*ratios, *smallest, *largest) <= 0:
        return site.unsupported("sizes and ratios of boxes are above 0")
    sizes: list[tuple[float, float]] = []
    for number, size in enumerate(smallest):
        sizes.append((size, size))
        if largest:
            sizes.append((math.sqrt(size * largest[number]),) * 2)
        sizes += [(size / math.sqrt(ratio), size * math.sqrt(ratio)) for ratio in ratios[1:]]
    return _priors(site, settings, sizes)


def _prior_box_clustered(site: Site) -> Sequence[Value]:
    """A prior for each width and height."""
    settings = optional(site.layer.param, "prior_box_param")
    heights = () if settings is None else optional(settings, "height") or ()
    widths = () if settings is None else optional(settings, "width") or ()
    if len(heights) != len(widths) or not widths:
        return site.unsupported("its boxes are not known")
    return _priors(site, settings, list(zip(heights, widths, strict=True)))


def _priors(site: Site, settings: Any, sizes: Sequence[tuple[float, float]]) -> Sequence[Value]:
    if len(site.inputs) != 2:
        return site.unsupported("it has no image to be relative to")
    maps, image = (site.brought(value, "last") for value in site.inputs)
    if any(None in (value.held.shape or (None,))[2:] or value.held.rank != 4 for value in (maps, image)):
        return site.unsupported("the sizes of its inputs are not known")
    variances = tuple(optional(settings, "variance") or (_VARIANCE,))
    offset = optional(settings, "offset")
    edge = site.call(
        "PriorBox",
        maps.edge,
        image.edge,
        sizes=tuple(sizes),
        clip=bool(optional(settings, "clip")),
        variances=variances,
        steps=_both(settings, "step", ("step_h", "step_w")),
        offset=0.5 if offset is None else offset,
        image_size=_both(settings, "img_size", ("img_h", "img_w")),
    )
    return (Value(edge, Held("axes", site.top())),)


def _both(settings: Any, one: str, each: tuple[str, str]) -> tuple[float, float]:
    """A setting for rows and for columns, which may be given as one; 0 where it is not given."""
    same = optional(settings, one)
    rows, columns = (optional(settings, name) or 0 for name in each)
    return (same, same) if same else (rows, columns)


def _roi_pooling(site: Site) -> Sequence[Value]:
    """The regions' maxima; the batch of what comes out counts regions."""
    settings = optional(site.layer.param, "roi_pooling_param")
    height, width = (None if settings is None else optional(settings, name) for name in ("pooled_h", "pooled_w"))
    maps, regions = site.brought(site.inputs[0], "last"), site.brought(site.inputs[1], "axes")
    if not height or not width or maps.held.rank != 4 or None in (maps.held.shape or ())[1:]:
        return site.unsupported("the sizes of its maps are not known")
    scale = optional(settings, "spatial_scale")
    edge = site.call(
        "ROIPooling",
        maps.edge,
        regions.edge,
        pooled_h=height,
        pooled_w=width,
        spatial_scale=1.0 if scale is None else scale,
    )
    return (Value(edge, Held("last", site.top())),)


ROWS = {
    "DetectionOutput":       Rule(),
    "PSROIPooling":          Rule(),
    "PriorBox":              Rule(build=_prior_box, channels="unread"),
    "PriorBoxClustered":     Rule(build=_prior_box_clustered, channels="unread"),
    "ROIAlign":              Rule(),
    "ROIPooling":            Rule(build=_roi_pooling),
    "YoloDetectionOutput":   Rule(),
    "Yolov3DetectionOutput": Rule(),
}  # fmt: skip
