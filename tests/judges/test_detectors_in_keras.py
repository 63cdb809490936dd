"""Public detectors with random weights, by the Python that is written for them: each finds in its last maps what the
plain formula of its fork finds there. The prototxts lie beside the checkout where they exist.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from caffeconv.keras.graph import Model
from caffeconv.model import Array, Blob, Layer, Net
from caffeconv.net.loading import load_net
from caffeconv.net.shapes import expected_blobs
from tests.support.naive_detection import detections, yolo_detections, yolov3_detections
from tests.support.python_models import Outputs, written
from tests.support.shared_data import PROTOTXTS, needs_prototxts

pytestmark = needs_prototxts

SSD = {"num_classes": 2, "code_type": "CENTER_SIZE", "nms_threshold": 0.45, "top_k": 400, "keep_top_k": 200}
BIASES_2 = (1.08, 1.19, 3.42, 4.41, 6.63, 11.38, 9.42, 5.11, 16.62, 10.52)
BIASES_3 = (4, 7, 6, 13, 8, 21, 18, 16, 12, 33, 20, 47, 30, 71, 46, 112, 78, 193)
MASK = (6, 7, 8, 3, 4, 5, 0, 1, 2)


def found_by_ssd(bottoms: list[Array]) -> list[Array]:
    settings: dict[str, Any] = {**SSD, "confidence_threshold": 0.5}
    locations, confidences, priors = bottoms
    return [row for rows in detections(locations, confidences, priors, **settings) for row in rows]


def found_by_yolo(bottoms: list[Array]) -> list[Array]:
    return yolo_detections(bottoms, BIASES_2, 20, 0.15, 0.45)


def found_by_yolov3(bottoms: list[Array]) -> list[Array]:
    return yolov3_detections(bottoms, BIASES_3, MASK, (32, 16, 8), 1, 0.4, 0.45)


@pytest.mark.parametrize(
    ("name", "threshold", "formula"),
    [
        pytest.param("jolibrain+deepdetect__templates_caffe_ssd_300_ssd_300", 0.5, found_by_ssd, id="SSD"),
        pytest.param(
            "eric612+MobileNet-YOLO__models_yolov2_mobilenet_yolo_lite_deploy", 0.15, found_by_yolo, id="YOLO"
        ),
        pytest.param(
            "eric612+MobileNet-YOLO__models_cityscapes_mobilenet_yolov3_test", 0.4, found_by_yolov3, id="YOLOv3"
        ),
    ],
)
def test_finds_what_its_formula_finds(
    name: str, threshold: float, formula: Callable[[list[Array]], list[Array]], tmp_path: Path
) -> None:
    pytest.importorskip("keras")
    text = (PROTOTXTS[0].parent / f"{name}.prototxt").read_text()
    prototxt = tmp_path / "net.prototxt"
    prototxt.write_text(re.sub(r"(confidence_threshold:) \S+", rf"\1 {threshold}", text))
    net = load_net(prototxt)
    first = next(layer for layer in net.layers if not layer.bottoms)
    size = 300 if "ssd" in name else 320
    if first.top_shapes[0] is None:  # it reads images, of whatever size
        net = load_net(prototxt, input_shapes={first.tops[0]: (1, 3, size, size)})
    net = dataclasses.replace(net, layers=tuple(map(with_weights, net.layers)))
    last = next(index for index, layer in enumerate(net.layers) if layer.type.endswith("DetectionOutput"))

    def outputs(net: Net, model: Model) -> Outputs:
        """The bottoms of the last layer, and its top."""
        sources = [source for source in net.layers[last].sources if source is not None]
        bottoms = tuple((str(number), model.values[source]) for number, source in enumerate(sources))
        tops = [value for source, value in model.values.items() if source.layer == last]
        return (*bottoms, ("found", tops[0]))

    image = np.random.default_rng(1).normal(0, 1, (1, 3, size, size)).astype("f4")
    *bottoms, (_, top) = written(net, tmp_path, outputs).run({first.tops[0]: image})
    expected = formula([array for _, array in bottoms])
    assert len(expected) > 10
    rows = top.reshape(-1, 7)
    np.testing.assert_allclose(rows[: len(expected)], expected, rtol=1e-4, atol=1e-5)
    assert (rows[len(expected) :] == -1).all()


def with_weights(layer: Layer) -> Layer:
    """The layer with weights that keep the size of what goes through it."""
    rng = np.random.default_rng(len(layer.name))
    shapes = [tuple(size or 1 for size in shape) for shape in expected_blobs(layer.param, layer.bottom_shapes) or ()]
    arrays = []
    for number, shape in enumerate(shapes):
        drawn = rng.normal(0, math.sqrt(2 / math.prod(shape[1:])) if len(shape) > 1 else 0.1, shape)
        ones = layer.type in ("Scale", "Normalize") if number == 0 else layer.type == "BatchNorm"
        arrays.append(np.ones(shape, "f4") if ones else drawn.astype("f4"))
    return dataclasses.replace(layer, blobs=tuple(map(Blob, arrays)))
