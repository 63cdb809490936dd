"""The forks' layers for object detection."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from caffeconv.keras.building import Site, product
from caffeconv.keras.graph import Held, Value
from caffeconv.keras.rules.record import Rule
from caffeconv.net.shapes.detection import aspect_ratios
from caffeconv.net.shapes.params import optional

__all__ = ["ROWS"]

_VARIANCE = 0.1  # SSD's, where none is given
_LOWEST = -3.4028234663852886e38  # FLT_MAX
_CODES = {1: "CORNER", 2: "CENTER_SIZE", 3: "CORNER_SIZE"}
_ROWS_LEFT_OVER = "its rows are as many as there can be: those that are left over are -1"


def _prior_box(site: Site) -> Sequence[Value]:
    """SSD's priors: for each min_size the square, the one up to its max_size, and those of the other ratios.

    The sizes are whole numbers there (`int min_size_` in `prior_box_layer.cpp`).
    """
    settings = optional(site.layer.param, "prior_box_param")
    if settings is None or site.top() is None:
        return site.unsupported("its boxes are not known")
    ratios = aspect_ratios(settings)
    given = [optional(settings, name) or () for name in ("min_size", "max_size")]
    smallest, largest = ([int(size) for size in sizes] for sizes in given)
    if min(*ratios, *given[0], *given[1]) <= 0:
        return site.unsupported("sizes and ratios of boxes are above 0")
    if any(size != int(size) for sizes in given for size in sizes):
        site.note("its sizes are cut to whole numbers, as in SSD's own Caffe; a few forks do not")
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


def _regions(site: Site, settings: Any, *sizes: str) -> tuple[Value, Value, list[int]] | None:
    """Maps, the regions of them, and the sizes of that name; None where they are not known."""
    given = [None if settings is None else optional(settings, name) for name in sizes]
    maps, regions = site.brought(site.inputs[0], "last"), site.brought(site.inputs[1], "axes")
    known = [size for size in given if size]
    if len(known) != len(sizes) or maps.held.rank != 4 or None in (maps.held.shape or ())[1:]:
        return None
    return maps, regions, known


def _scale(settings: Any) -> float:
    scale = optional(settings, "spatial_scale")
    return 1.0 if scale is None else float(scale)


def _roi_pooling(site: Site) -> Sequence[Value]:
    """The regions' maxima; the batch of what comes out counts regions."""
    settings = optional(site.layer.param, "roi_pooling_param")
    found = _regions(site, settings, "pooled_h", "pooled_w")
    if found is None:
        return site.unsupported("the sizes of its maps are not known")
    maps, regions, (height, width) = found
    edge = site.call(
        "ROIPooling",
        maps.edge,
        regions.edge,
        pooled_h=height,
        pooled_w=width,
        spatial_scale=_scale(settings),
    )
    return (Value(edge, Held("last", site.top())),)


def _position_sensitive_roi_pooling(site: Site) -> Sequence[Value]:
    """The regions' means, each part of channels of its own."""
    settings = optional(site.layer.param, "psroi_pooling_param")
    found = _regions(site, settings, "output_dim", "group_size")
    if found is None:
        return site.unsupported("the sizes of its maps are not known")
    maps, regions, (outputs, parts) = found
    channels = (maps.held.shape or ())[1]
    if channels != outputs * parts**2:
        return site.unsupported(f"its maps have {channels} channels, expected {outputs} · {parts}²")
    edge = site.call("PSROIPooling", maps.edge, regions.edge, group_size=parts, spatial_scale=_scale(settings))
    return (Value(edge, Held("last", site.top())),)


def _roi_align(site: Site) -> Sequence[Value]:
    """Means of points in the regions, if the net is one of the forks that say how many points they take.

    Others have under the same name: maxima of four points (Mask R-CNN's `mask_rcnn_layers.hpp`), one point a part
    (chuanqi305's caffe-fast-rcnn), the corners of the parts (cascade-rcnn, with `roi_pooling_param`).
    """
    settings = optional(site.layer.param, "roi_align_param")
    points = None if settings is None else optional(settings, "sampling_ratio")
    if points is None:
        return site.unsupported("forks differ in what it computes, but for those that say a sampling_ratio")
    found = _regions(site, settings, "pooled_h", "pooled_w")
    if found is None:
        return site.unsupported("the sizes of its maps are not known")
    maps, regions, (height, width) = found
    edge = site.call(
        "ROIAlign",
        maps.edge,
        regions.edge,
        pooled_h=height,
        pooled_w=width,
        spatial_scale=_scale(settings),
        sampling_ratio=points,
    )
    return (Value(edge, Held("last", site.top())),)


def _detection_output(site: Site) -> Sequence[Value]:
    """SSD's boxes, of which Keras gives a fixed number."""
    settings = optional(site.layer.param, "detection_output_param")
    classes = None if settings is None else optional(settings, "num_classes")
    if settings is None or classes is None:
        return site.unsupported("its num_classes is not given")
    if len(site.inputs) > 4:
        return site.unsupported("RefineDet's, which refines its priors first, is not known")
    values = [site.brought(value, "axes") for value in site.inputs[:3]]
    arguments = _detection_arguments(settings)
    priors, problem = values[2].held.shape or (), ""
    if len(priors) != 3 or priors[1] != 2 or priors[2] is None or any(value.held.layout != "axes" for value in values):
        problem = "the order or the number of its priors is not known"
    elif 0 in (arguments["top_k"], arguments["keep_top_k"]):
        problem = "it keeps no boxes"
    elif classes - (0 <= arguments["background_label_id"] < classes) < 1:
        problem = "it has no class but the background"
    else:
        locations = priors[2] * (1 if arguments["share_location"] else classes)
        for value, expected in zip(values, (locations, priors[2] // 4 * classes), strict=False):
            if product((value.held.shape or (None,))[1:]) not in (None, expected):
                problem = f"{priors[2] // 4} priors ask for {expected} values of a bottom that has {value.held.shape}"
    if problem:
        return site.unsupported(problem)
    site.note(_ROWS_LEFT_OVER)
    edge = site.call("DetectionOutput", *(value.edge for value in values), num_classes=classes, **arguments)
    return (Value(edge, Held("axes", (1, 1, None, 7))),)


def _detection_arguments(settings: Any) -> dict[str, Any]:
    """How boxes are decoded and chosen: what is given, or else SSD's default."""
    nms = optional(settings, "nms_param")
    given = {
        "share_location": True,
        "background_label_id": 0,
        "variance_encoded_in_target": False,
        "confidence_threshold": _LOWEST,
        "keep_top_k": -1,
    }
    chosen = {"nms_threshold": 0.3, "eta": 1.0, "top_k": -1}
    for source, defaults in ((settings, given), (nms, chosen)):
        for name in defaults if source is not None else ():
            value = optional(source, name)
            defaults[name] = defaults[name] if value is None else value
    code = _CODES[optional(settings, "code_type") or 1]
    return {**given, **chosen, "code_type": code}


def _yolo_detection_output(site: Site) -> Sequence[Value]:
    """YOLO 2's boxes: the sizes of anchors are in cells, and every map has all of them."""
    settings = optional(site.layer.param, "yolo_detection_output_param")
    biases = () if settings is None else optional(settings, "biases") or ()
    sizes = list(zip(biases[::2], biases[1::2], strict=False))
    return _yolo(site, "YoloDetectionOutput", settings, [sizes] * len(site.inputs), [1] * len(site.inputs))


def _yolov3_detection_output(site: Site) -> Sequence[Value]:
    """YOLO 3's boxes: the sizes of anchors are in pixels, and each map has some of them."""
    settings = optional(site.layer.param, "yolov3_detection_output_param")
    biases, mask, scales = (
        () if settings is None else optional(settings, name) or () for name in ("biases", "mask", "anchors_scale")
    )
    groups = len(site.inputs)
    sizes = [(biases[2 * each], biases[2 * each + 1]) for each in mask if 2 * each + 1 < len(biases)]
    if len(sizes) != len(mask) or len(mask) % groups or len(scales) < groups:
        return site.unsupported("its anchors are not known")
    each = len(mask) // groups
    of_maps = [sizes[group * each : (group + 1) * each] for group in range(groups)]
    return _yolo(site, "Yolov3DetectionOutput", settings, of_maps, scales)


def _yolo(
    site: Site, class_name: str, settings: Any, sizes: Sequence[Sequence[tuple[float, float]]], scales: Sequence[float]
) -> Sequence[Value]:
    """Boxes of maps, each with anchors of its own, whose sizes are parts of a cell's size divided by `scales`."""
    classes = 0 if settings is None else optional(settings, "num_classes") or 0
    maps = [site.brought(value, "last") for value in site.inputs]
    if not classes or any(value.held.rank != 4 or None in (value.held.shape or ())[1:] for value in maps):
        return site.unsupported("its classes or the sizes of its maps are not known")
    anchors = []
    for value, given, scale in zip(maps, sizes, scales, strict=False):
        _, channels, height, width = value.held.shape or ()
        boxes = (channels or 0) // (5 + classes)
        if height != width:
            return site.unsupported(f"forks differ in what it computes of maps of {height} × {width}: they are square")
        if channels != boxes * (5 + classes) or not 0 < boxes <= len(given):
            return site.unsupported(f"its {channels} channels are not 5 + {classes} for each of {len(given)} anchors")
        cells = (width or 1) * scale
        anchors.append(tuple((across / cells, down / cells) for across, down in given[:boxes]))
    least, overlap = (optional(settings, name) for name in ("confidence_threshold", "nms_threshold"))
    site.note(_ROWS_LEFT_OVER)
    edge = site.call(
        class_name,
        *(value.edge for value in maps),
        anchors=tuple(anchors),
        num_classes=classes,
        confidence_threshold=0.01 if least is None else least,
        nms_threshold=0.45 if overlap is None else overlap,
    )
    return (Value(edge, Held("axes", (1, 1, None, 7))),)


ROWS = {
    "DetectionOutput":       Rule(build=_detection_output),
    "PSROIPooling":          Rule(build=_position_sensitive_roi_pooling),
    "PriorBox":              Rule(build=_prior_box),
    "PriorBoxClustered":     Rule(build=_prior_box_clustered),
    "ROIAlign":              Rule(build=_roi_align),
    "ROIPooling":            Rule(build=_roi_pooling),
    "YoloDetectionOutput":   Rule(build=_yolo_detection_output),
    "Yolov3DetectionOutput": Rule(build=_yolov3_detection_output),
}  # fmt: skip
