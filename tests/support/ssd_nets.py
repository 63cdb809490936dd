"""Boxes as SSD has them, crowded, with settings for its DetectionOutput, and a small net that makes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from caffeconv.model import Array
from tests.support.net_builder import Weights, input_text, layer_text

__all__ = ["SMALLEST", "Blobs", "Settings", "numbers", "small_ssd", "ssd_blobs", "ssd_param"]

Blobs = dict[str, Array]
Settings = dict[str, Any]
"""As arguments of `naive_detection.detections`."""

SMALLEST: Settings = {"num_classes": 2, "nms_threshold": 0.45, "confidence_threshold": 0.1}


def ssd_param(settings: Settings) -> str:
    """The settings of `detections`, as a prototxt has them."""
    words = {name: str(value).lower() if isinstance(value, bool) else value for name, value in settings.items()}
    nms = " ".join(f"{name}: {words.pop(name)}" for name in ("nms_threshold", "eta", "top_k") if name in words)
    rest = " ".join(f"{name}: {value}" for name, value in words.items())
    return f"detection_output_param {{ {rest} nms_param {{ {nms} }} }}"


def ssd_blobs(seed: int, images: int, classes: int, shared: bool, count: int = 60) -> Blobs:
    """Boxes that crowd, some of them beyond the image, and scores of which many are the same."""
    rng = np.random.default_rng(seed)
    low = rng.uniform(-0.2, 0.9, (count, 2))
    corners = np.concatenate([low, low + rng.uniform(0.05, 0.5, (count, 2))], axis=1)
    variances = rng.uniform(0.1, 0.3, (count, 4))
    priors = np.stack([corners.ravel(), variances.ravel()])[np.newaxis].astype("f4")
    locations = rng.normal(0, 1, (images, count * 4 * (1 if shared else classes))).astype("f4")
    scores = rng.integers(0, 64, (images, count * classes)).astype("f4") / 64
    return {"loc": locations, "conf": scores, "prior": priors}


def numbers(name: str, values: Sequence[float]) -> str:
    return " ".join(f"{name}: {value}" for value in values)


def small_ssd(settings: Settings, images: int = 1) -> tuple[str, Weights]:
    """Text and weights: two maps of an image, each with the locations, scores and priors of three boxes a pixel."""
    text = input_text("data", images, 3, 40, 40)
    for name, size in (("a", 8), ("b", 20)):
        text += layer_text(
            name, "Pooling", "data", more=f"pooling_param {{ pool: AVE kernel_size: {size} stride: {size} }}"
        )
        for kind, number in (("loc", 12), ("conf", 6)):
            param = f"convolution_param {{ num_output: {number} kernel_size: 1 }}"
            text += layer_text(f"{name}_{kind}", "Convolution", name, more=param)
            order = "permute_param { order: 0 order: 2 order: 3 order: 1 }"
            text += layer_text(f"{name}_{kind}_last", "Permute", f"{name}_{kind}", more=order)
            text += layer_text(f"{name}_{kind}_flat", "Flatten", f"{name}_{kind}_last")
        variances = numbers("variance", (0.1, 0.1, 0.2, 0.2))
        param = f"prior_box_param {{ clip: false min_size: {size} aspect_ratio: 2 {variances} }}"
        text += layer_text(f"{name}_prior", "PriorBox", f"{name} data", more=param)
    text += layer_text("loc", "Concat", "a_loc_flat b_loc_flat")
    text += layer_text("scores", "Concat", "a_conf_flat b_conf_flat")
    text += layer_text("pairs", "Reshape", "scores", more="reshape_param { shape { dim: 0 dim: -1 dim: 2 } }")
    text += layer_text("shares", "Softmax", "pairs", more="softmax_param { axis: 2 }")
    text += layer_text("conf", "Flatten", "shares")
    text += layer_text("prior", "Concat", "a_prior b_prior", more="concat_param { axis: 2 }")
    text += layer_text("it", "DetectionOutput", "loc conf prior", more=ssd_param(settings))
    rng = np.random.default_rng(3)
    weights = [
        (f"{name}_{kind}", [rng.normal(0, 3, (number, 3, 1, 1)).astype("f4"), np.zeros(number, "f4")])
        for name in "ab"
        for kind, number in (("loc", 12), ("conf", 6))
    ]
    return text, weights
