"""The forks' layers for object detection: output shapes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from caffeconv.model import Shape
from caffeconv.net.shapes.axes import UNKNOWN, require_rank
from caffeconv.net.shapes.params import optional, required
from caffeconv.net.shapes.row import MaybeShapes, Row, Shapes, nothing, of_known
from caffeconv.net.shapes.sizes import size_of

if TYPE_CHECKING:
    from caffe_proto.caffe_pb2 import LayerParameter

__all__ = ["ROWS", "aspect_ratios"]

_MOST_RATIOS = 1000
_OTHER_DIALECTS = ("fixed_size", "fixed_ratio", "density", "density_size")


def _prior_box(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """SSD's `PriorBox`: (1, 2, H · W · priors · 4).

    Priors of a cell: aspect ratio 1, the others given and, unless `flip` is off, their inverses, all for each
    `min_size`; and one for each `max_size`.
    """
    settings = required(param, "prior_box_param")
    for name in _OTHER_DIALECTS:
        if optional(settings, name) is not None:
            raise ValueError(f"the number of priors with {name} is not known")
    least, most = required(settings, "min_size"), optional(settings, "max_size") or ()
    sizes, more = (len(each) if isinstance(each, tuple) else 1 for each in (least, most))
    if more not in (0, sizes):
        raise ValueError(f"{more} max_size for {sizes} min_size")
    return (_priors(bottoms[0], len(aspect_ratios(settings)) * sizes + more),)


def aspect_ratios(settings: Any) -> list[float]:
    """The different aspect ratios of a `PriorBox`, of which 1 is the first, with their inverses unless told otherwise.

    Raises ValueError where there are too many to be true.
    """
    given, flip = optional(settings, "aspect_ratio") or (), optional(settings, "flip")
    if len(given) > _MOST_RATIOS:
        raise ValueError(f"more than {_MOST_RATIOS} aspect ratios")
    known = [1.0]
    for ratio in given:
        if all(abs(ratio - other) >= 1e-6 for other in known):
            known += [ratio, 1 / ratio] if flip is not False and ratio else [ratio]
    return known


def _prior_box_clustered(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """`PriorBoxClustered`: (1, 2, H · W · priors · 4), a prior for each `width`."""
    return (_priors(bottoms[0], len(required(required(param, "prior_box_param"), "width"))),)


def _priors(shape: Shape, priors: int) -> Shape:
    _, _, height, width = require_rank(shape, 4)
    return 1, 2, height * width * priors * 4


def _detection_output(param: LayerParameter, bottoms: MaybeShapes) -> Shapes:
    """SSD's `DetectionOutput`: (1, 1, 1, 7) until the net has run, then a row for each detection."""
    return ((1, 1, 1, 7),)


def _roi_pooling(param: LayerParameter, bottoms: MaybeShapes) -> Shapes:
    """`ROIPooling`: (N, C, H, W) and R regions to (R, C, pooled_h, pooled_w)."""
    return (_pooled_regions(param, "roi_pooling_param", bottoms),)


def _roi_align(param: LayerParameter, bottoms: MaybeShapes) -> Shapes:
    """`ROIAlign`: (N, C, H, W) and R regions to (R, C, pooled_h, pooled_w)."""
    return (_pooled_regions(param, "roi_align_param", bottoms),)


def _pooled_regions(param: LayerParameter, settings_name: str, bottoms: MaybeShapes) -> Shape:
    settings = required(param, settings_name)
    channels = UNKNOWN if bottoms[0] is None else require_rank(bottoms[0], 4)[1]
    return size_of(bottoms[1], 0), channels, required(settings, "pooled_h"), required(settings, "pooled_w")


def _position_sensitive_roi_pooling(param: LayerParameter, bottoms: MaybeShapes) -> Shapes:
    """R-FCN's `PSROIPooling`: R regions to (R, output_dim, group_size, group_size)."""
    settings = required(param, "psroi_pooling_param")
    bins = required(settings, "group_size")
    return ((size_of(bottoms[1], 0), required(settings, "output_dim"), bins, bins),)


_YOLO = Row(1, nothing, unknown="the number of detections depends on the images")

ROWS = {
    "DetectionOutput":       Row(3, _detection_output),
    "PSROIPooling":          Row(2, _position_sensitive_roi_pooling),
    "PriorBox":              Row(1, of_known(_prior_box)),
    "PriorBoxClustered":     Row(1, of_known(_prior_box_clustered)),
    "ROIAlign":              Row(2, _roi_align),
    "ROIPooling":            Row(2, _roi_pooling),
    "YoloDetectionOutput":   _YOLO,
    "Yolov3DetectionOutput": _YOLO,
}  # fmt: skip
