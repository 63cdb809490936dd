"""Detection layers of the forks, node by node in Keras, against their definitions written out in plain NumPy."""

from __future__ import annotations

import math
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from caffeconv.keras.assembling import assembled
from caffeconv.keras.building import Options
from caffeconv.model import Array
from tests.support.graph_runs import computed, outputs
from tests.support.naive_detection import position_sensitive_means, region_points, rounded
from tests.support.net_builder import input_text, layer_text, net_of
from tests.support.python_models import KERAS, using, written

REGIONS: Array = np.array([
    [0, 0, 0, 30, 40],
    [1, 10, 12, 100, 140],
    [0, 50, 60, 55, 61],  # less than a pixel
    [1, -20, -8, 5, 3],  # partly beyond the image
    [0, 150, 180, 170, 190],  # wholly
], "f4")  # fmt: skip


def of(keras: ModuleType, text: str, **given: Array) -> Array:
    """The one output of a net, in Caffe's order."""
    model = assembled(net_of(text), Options())
    (result,) = outputs(model, computed(keras, model, given)).values()
    return result


def bins(begin: int, end: int, parts: int, size: int) -> list[slice]:
    length = np.float32(max(end - begin + 1, 1)) / np.float32(parts)
    edges = [(math.floor(part * length) + begin, math.ceil((part + 1) * length) + begin) for part in range(parts)]
    return [slice(*(min(max(edge, 0), size) for edge in each)) for each in edges]


def pooled_regions(x: Array, regions: Array, height: int, width: int, scale: float) -> Array:
    result = np.zeros((len(regions), x.shape[1], height, width), "f4")
    for region, (item, *edges) in enumerate(regions):
        left, top, right, bottom = (rounded(edge * scale) for edge in edges)
        for row, rows in enumerate(bins(top, bottom, height, x.shape[2])):
            for column, columns in enumerate(bins(left, right, width, x.shape[3])):
                part = x[int(item), :, rows, columns]
                if part.size:
                    result[region, :, row, column] = part.max((1, 2))
    return result


@pytest.mark.parametrize(("height", "width", "scale"), [(2, 3, 1 / 16), (7, 7, 1 / 16), (1, 1, 0.125)])
def test_pools_regions(keras: ModuleType, height: int, width: int, scale: float) -> None:
    x = np.random.default_rng(0).normal(-3, 1, (2, 3, 11, 9)).astype("f4")
    param = f"roi_pooling_param {{ pooled_h: {height} pooled_w: {width} spatial_scale: {scale} }}"
    text = input_text("data", *x.shape) + input_text("rois", *REGIONS.shape)
    found = of(keras, text + layer_text("it", "ROIPooling", "data rois", more=param), data=x, rois=REGIONS)
    wanted = pooled_regions(x, REGIONS, height, width, scale)
    assert (wanted == 0).any()
    assert (wanted != 0).any()
    np.testing.assert_array_equal(found, wanted)


SMALL_MAPS: Array = np.random.default_rng(1).normal(-3, 1, (2, 18, 11, 9)).astype("f4")
MORE_REGIONS: Array = np.concatenate([REGIONS, np.array([
    [0, 8.5, 24.5, 72, 90.5],
    [1, -401.3, -303.9, 907.8, 702.4],
    [1, 90, 80, 10, 20],
    [0, 143, 175, 144, 176],
], "f4")])  # fmt: skip
"""Also one with halves, one around all, one turned inside out, and one in the last corner."""


@pytest.mark.parametrize(("parts", "outputs"), [(3, 2), (1, 18)])
@pytest.mark.parametrize("scale", [1 / 16, 0.125])
def test_pools_regions_by_position(keras: ModuleType, parts: int, outputs: int, scale: float) -> None:
    param = f"psroi_pooling_param {{ output_dim: {outputs} group_size: {parts} spatial_scale: {scale} }}"
    text = input_text("data", *SMALL_MAPS.shape) + input_text("rois", *MORE_REGIONS.shape)
    text += layer_text("it", "PSROIPooling", "data rois", more=param)
    found = of(keras, text, data=SMALL_MAPS, rois=MORE_REGIONS)
    wanted = position_sensitive_means(SMALL_MAPS, MORE_REGIONS, outputs, parts, scale)
    assert (wanted == 0).any()
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("ratio", [0, 1, 2, 5])
@pytest.mark.parametrize(("height", "width", "scale"), [(2, 3, 1 / 16), (1, 1, 0.125), (7, 7, 0.25)])
def test_takes_points_of_regions(keras: ModuleType, height: int, width: int, scale: float, ratio: int) -> None:
    param = f"pooled_h: {height} pooled_w: {width} spatial_scale: {scale} sampling_ratio: {ratio}"
    text = input_text("data", *SMALL_MAPS.shape) + input_text("rois", *MORE_REGIONS.shape)
    text += layer_text("it", "ROIAlign", "data rois", more=f"roi_align_param {{ {param} }}")
    found = of(keras, text, data=SMALL_MAPS, rois=MORE_REGIONS)
    wanted = region_points(SMALL_MAPS, MORE_REGIONS, height, width, scale, ratio)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("keras_name", KERAS)
def test_compiled_it_divides_as_caffe(keras_name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Compilers would multiply with 1/7, and a part of 3/7 · 7 pixels then ends a pixel later."""
    using(monkeypatch, keras_name)
    lengths = np.arange(2, 12, dtype="f4")
    zeros = np.zeros_like(lengths)
    regions = np.stack([zeros, zeros, zeros, lengths, lengths], axis=1)
    x = np.random.default_rng(2).normal(0, 1, (len(regions), 49, 14, 14)).astype("f4")
    text = input_text("data", *x.shape) + input_text("rois", *regions.shape)
    text += layer_text("max", "ROIPooling", "data rois", more="roi_pooling_param { pooled_h: 7 pooled_w: 7 }")
    param = "psroi_pooling_param { output_dim: 1 group_size: 7 spatial_scale: 1 }"
    text += layer_text("mean", "PSROIPooling", "data rois", more=param)
    model = written(net_of(text), tmp_path).filled()
    largest, means = model.predict([np.moveaxis(x, 1, -1), regions], verbose=0)
    np.testing.assert_array_equal(np.moveaxis(largest, -1, 1), pooled_regions(x, regions, 7, 7, 1))
    wanted = position_sensitive_means(x, regions, 1, 7, 1)
    np.testing.assert_allclose(np.moveaxis(means, -1, 1), wanted, rtol=1e-5, atol=1e-5)


IMAGE = np.zeros((2, 3, 60, 80), "f4")
MAPS = np.zeros((2, 4, 3, 4), "f4")

SIZES = {
    "square": ("min_size: 20", [(20, 20)]),
    "ratios": (
        "min_size: 20 max_size: 45 aspect_ratio: 2 aspect_ratio: 1",
        [(20, 20), (30, 30), (20 / 2**0.5, 20 * 2**0.5), (20 * 2**0.5, 20 / 2**0.5)],
    ),
    "not_flipped": ("min_size: 20 aspect_ratio: 4 flip: false", [(20, 20), (10, 40)]),
    "cut": ("min_size: 20.9 max_size: 45.9 aspect_ratio: 4 flip: false", [(20, 20), (30, 30), (10, 40)]),
    "of_two": ("min_size: 10 min_size: 20 max_size: 40 max_size: 45", [(10, 10), (20, 20), (20, 20), (30, 30)]),
}
PLACES = {
    "": {},
    "step: 10": {"steps": (10, 10)},
    "step_h: 8 step_w: 9 offset: 0": {"steps": (8, 9), "offset": 0},
    "img_size: 50": {"image": (50, 50)},
    "clip: true variance: 0.5": {"clip": True, "variances": [0.5] * 4},
    "variance: 0.1 variance: 0.2 variance: 0.3 variance: 0.4": {"variances": [0.1, 0.2, 0.3, 0.4]},
}


def priors(
    sizes: list[tuple[float, float]], image: tuple[int, int] = (60, 80), steps: tuple[float, float] | None = None,
    offset: float = 0.5, clip: bool = False, variances: list[float] | None = None,
) -> Array:  # fmt: skip
    """Boxes around the middle of each pixel of `MAPS`, relative to the image: left, top, right, bottom."""
    rows, columns = MAPS.shape[2:]
    down, across = steps or (image[0] / rows, image[1] / columns)
    boxes = np.zeros((rows, columns, len(sizes), 4))
    for row, column, (number, (tall, wide)) in (
        (row, column, size) for row in range(rows) for column in range(columns) for size in enumerate(sizes)
    ):
        y, x = (row + offset) * down, (column + offset) * across
        edges = np.array([x - wide / 2, y - tall / 2, x + wide / 2, y + tall / 2])
        boxes[row, column, number] = edges / (image[1], image[0], image[1], image[0])
    boxes = boxes.clip(0, 1) if clip else boxes
    return np.stack([boxes.reshape(-1), np.tile(variances or [0.1] * 4, boxes.size // 4)])[np.newaxis].astype("f4")


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("size", SIZES)
def test_makes_priors(keras: ModuleType, size: str, place: str) -> None:
    param, sizes = SIZES[size]
    text = input_text("data", *IMAGE.shape) + layer_text(
        "maps", "Pooling", "data", more="pooling_param { kernel_size: 20 stride: 20 }"
    )
    text += layer_text("it", "PriorBox", "maps data", more=f"prior_box_param {{ {param} {place} }}")
    wanted = priors(sizes, **PLACES[place])  # type: ignore[arg-type]
    np.testing.assert_allclose(of(keras, text, data=IMAGE), wanted, rtol=0, atol=1e-6)


def test_says_that_sizes_are_cut() -> None:
    text = input_text("data", *IMAGE.shape) + input_text("maps", *MAPS.shape)
    notes = {
        size: [note.level for note in assembled(net_of(text + prior), Options()).notes if note.layer == "it"]
        for size in ("20", "20.9")
        for prior in [layer_text("it", "PriorBox", "maps data", more=f"prior_box_param {{ min_size: {size} }}")]
    }
    assert notes == {"20": [], "20.9": ["info"]}


def test_makes_clustered_priors(keras: ModuleType) -> None:
    text = input_text("data", *IMAGE.shape) + layer_text(
        "maps", "Pooling", "data", more="pooling_param { kernel_size: 20 stride: 20 }"
    )
    param = "prior_box_param { width: 10 height: 20 width: 30 height: 5 step: 16 variance: 0.1 }"
    found = of(keras, text + layer_text("it", "PriorBoxClustered", "maps data", more=param), data=IMAGE)
    np.testing.assert_allclose(found, priors([(20, 10), (5, 30)], steps=(16, 16)), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("bottoms", "kind", "param"),
    [
        ("data data", "PriorBox", "prior_box_param { min_size: 20 aspect_ratio: 0 }"),
        ("data data", "PriorBox", "prior_box_param { min_size: -1 }"),
        ("data", "PriorBox", "prior_box_param { min_size: 20 }"),
        ("data data", "PriorBoxClustered", "prior_box_param { width: 20 }"),
        ("data data", "PriorBox", ""),
        ("data data", "ROIPooling", ""),
        ("data", "ROIPooling", "roi_pooling_param { pooled_h: 1 pooled_w: 1 }"),
        ("data", "PSROIPooling", "psroi_pooling_param { output_dim: 1 group_size: 1 }"),
        ("data data", "PSROIPooling", "psroi_pooling_param { output_dim: 3 group_size: 2 }"),
        ("data data", "PSROIPooling", ""),
        ("data data", "ROIAlign", "roi_align_param { pooled_h: 1 pooled_w: 1 }"),  # of a fork that nobody knows
        ("data data", "ROIAlign", ""),
        ("data data data", "DetectionOutput", "detection_output_param { num_classes: 2 }"),
        ("flat four priors four flat", "DetectionOutput", "detection_output_param { num_classes: 2 }"),  # RefineDet's
        ("flat flat flat", "DetectionOutput", "detection_output_param { num_classes: 2 }"),
        ("flat four square", "DetectionOutput", "detection_output_param { num_classes: 2 }"),
        ("flat four bare", "DetectionOutput", "detection_output_param { num_classes: 2 }"),
        ("fewer flat priors", "DetectionOutput", "detection_output_param { num_classes: 2 }"),
        ("flat fewer priors", "DetectionOutput", "detection_output_param { num_classes: 2 }"),
        ("flat four priors", "DetectionOutput", "detection_output_param { num_classes: 2 keep_top_k: 0 }"),
        ("flat two priors", "DetectionOutput", "detection_output_param { num_classes: 1 }"),
        ("flat flat priors", "DetectionOutput", ""),
        ("data", "YoloDetectionOutput", ""),
        ("data", "YoloDetectionOutput", "yolo_detection_output_param { num_classes: 1 biases: 1 biases: 1 }"),
        ("wide", "YoloDetectionOutput", "yolo_detection_output_param { num_classes: 1 biases: 1 biases: 1 }"),
        ("odd", "YoloDetectionOutput", "yolo_detection_output_param { num_classes: 1 biases: 1 biases: 1 }"),
        ("square", "YoloDetectionOutput", "yolo_detection_output_param { num_classes: 1 biases: 1 }"),
        ("square", "YoloDetectionOutput", "yolo_detection_output_param { num_classes: 2 biases: 1 biases: 1 }"),
        ("square", "Yolov3DetectionOutput", "yolov3_detection_output_param { num_classes: 1 mask: 0 }"),
        ("square", "Yolov3DetectionOutput", ""),
    ],
)
def test_says_what_cannot_be_built(bottoms: str, kind: str, param: str) -> None:
    text = input_text("data", *IMAGE.shape) + input_text("flat", 2, 8) + input_text("priors", 1, 2, 8)
    text += input_text("two", 2, 2) + input_text("four", 2, 4) + input_text("fewer", 2, 3)
    text += input_text("bare", 1, 1, 8) + input_text("wide", 1, 6, 3, 4) + input_text("odd", 1, 7, 3, 3)
    text += input_text("square", 1, 6, 3, 3) + layer_text("it", kind, bottoms, more=param)
    (node,) = (node for node in assembled(net_of(text), Options()).nodes if node.name == "it")
    assert node.call is None or node.problem is not None
