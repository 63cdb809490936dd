"""OpenCV's dnn as a second judge of what Caffe 1.0 lacks: SSD's layers, and those of regions.

`CAFFECONV_OPENCV` names a Python that has cv2; without it the one that `make opencv` keeps is asked. OpenCV is not
Caffe: where they differ (`test_opencv_differs_from_caffe` shows where) it is no judge, and the formulas of
`naive_detection`, which are written after the forks' own source, are.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import re
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from caffeconv.keras.assembling import assembled
from caffeconv.keras.building import Options
from caffeconv.model import Array
from caffeconv.net.loading import load_net
from tests.support.graph_runs import computed, outputs
from tests.support.net_builder import Weights, input_text, layer_text, net_of, write_caffemodel
from tests.support.places import SHARED
from tests.support.python_models import written
from tests.support.shared_data import weights_of
from tests.support.ssd_nets import Blobs, Settings, numbers, small_ssd, ssd_blobs, ssd_param

PROBE = Path(__file__).with_name("opencv_probe.py")
CACHE = Path(os.environ.get("CACHE") or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "caffeconv")
NAMED = os.environ.get("CAFFECONV_OPENCV")
PYTHON = NAMED or str(CACHE / "opencv" / "bin" / "python")


@functools.cache
def missing() -> str | None:
    """Why there is no OpenCV to ask, or `None` if there is one."""
    try:
        run = subprocess.run([PYTHON, "-c", "import cv2"], capture_output=True, check=False)
    except OSError:
        return "no OpenCV (make opencv installs one)"
    return f"{PYTHON} has no cv2" if run.returncode else None


# An OpenCV that the user names and that does not answer is a failure, not a reason to skip.
pytestmark = pytest.mark.skipif(not NAMED and missing() is not None, reason=missing() or "")


@dataclasses.dataclass(frozen=True, eq=False)
class Case:
    """A net with what it is given; the blob `it` is compared. `filed` are its weights as OpenCV can read them."""

    text: str
    given: Blobs
    weights: Weights = ()
    filed: Weights = ()


def asked(cases: Mapping[str, Case], blob: str = "it") -> dict[str, Array | str]:
    """What OpenCV computes, or says against it, asked in one process."""
    answers: dict[str, Array | str] = {}
    with tempfile.TemporaryDirectory() as base:
        folders = {name: Path(base) / str(number) for number, name in enumerate(cases)}
        for name, case in cases.items():
            folders[name].mkdir()
            (folders[name] / "net.prototxt").write_text(f'name: "net"\n{case.text}')
            (folders[name] / "wanted.txt").write_text(blob)
            keep(folders[name] / "inputs.npz", case.given)
            if case.weights:
                write_caffemodel(folders[name] / "net.caffemodel", case.filed or case.weights, case.text)
        subprocess.run([PYTHON, PROBE, *folders.values()], capture_output=True, check=True)
        for name, folder in folders.items():
            answers[name] = error.read_text() if (error := folder / "error.txt").exists() else saved(folder)[blob]
    return answers


def keep(path: Path, arrays: dict[str, Any]) -> None:
    np.savez(path, **arrays)


def saved(folder: Path) -> dict[str, Array]:
    with np.load(folder / "outputs.npz") as arrays:
        return {name: arrays[name] for name in arrays}


def ours(case: Case) -> Array:
    keras = pytest.importorskip("keras")
    model = assembled(net_of(case.text, case.weights or None), Options())
    return outputs(model, computed(keras, model, case.given))["it"]


def one_layer(blobs: Blobs, kind: str, param: str, weights: Weights = (), filed: Weights = ()) -> Case:
    text = "".join(input_text(name, *array.shape) for name, array in blobs.items())
    return Case(text + layer_text("it", kind, " ".join(blobs), more=param), blobs, weights, filed)


def random(*shape: int, seed: int = 0) -> Array:
    values: Array = np.random.default_rng(seed).normal(0, 1, shape).astype("f4")
    return values


VARIANCES = numbers("variance", (0.1, 0.15, 0.2, 0.25))


def prior(param: str) -> Case:
    text = input_text("data", 1, 3, 60, 80)
    text += layer_text("maps", "Pooling", "data", more="pooling_param { kernel_size: 20 stride: 20 }")
    text += layer_text("it", "PriorBox", "maps data", more=f"prior_box_param {{ {param} }}")
    return Case(text, {"data": random(1, 3, 60, 80)})


def normalize(across_spatial: str, channel_shared: str, batch: int) -> Case:
    gamma = np.array(1.5, "f4") if channel_shared == "true" else np.array([0.5, 1, 1.5, 2], "f4")
    param = f"norm_param {{ across_spatial: {across_spatial} channel_shared: {channel_shared} }}"
    # OpenCV's reader takes no array without axes, which is what SSD writes.
    return one_layer({"x": random(batch, 4, 5, 6)}, "Normalize", param, [("it", [gamma])], [("it", [np.ravel(gamma)])])


REGIONS: Array = np.array(
    [[0, 0, 0, 30, 40], [1, 10, 12, 100, 140], [0, 50, 60, 55, 61], [1, -20, -8, 5, 3], [0, 150, 180, 170, 190],
     [0, 8.5, 24.5, 72, 90.5]], "f4",
)  # fmt: skip


def regions(kind: str, param: str) -> Case:
    return one_layer({"x": random(2, 18, 11, 9), "rois": REGIONS}, kind, param)


COMPUTED = {
    "prior": prior(f"clip: false min_size: 20 {VARIANCES}"),
    "prior-one_variance": prior("clip: false min_size: 20 variance: 0.1"),
    "prior-max": prior(f"clip: false min_size: 20 max_size: 45 {VARIANCES}"),
    "prior-ratios": prior(f"clip: false min_size: 20 aspect_ratio: 2 aspect_ratio: 3 {VARIANCES}"),
    "prior-ratio_twice": prior(
        f"clip: false min_size: 20 aspect_ratio: 1 aspect_ratio: 2 aspect_ratio: 0.5 {VARIANCES}"
    ),
    "prior-not_flipped": prior(f"clip: false min_size: 20 aspect_ratio: 4 flip: false {VARIANCES}"),
    "prior-several": prior(
        f"clip: false min_size: 10 min_size: 20 max_size: 40 max_size: 45 aspect_ratio: 2 {VARIANCES}"
    ),
    "prior-clipped": prior(f"clip: true min_size: 50 {VARIANCES}"),
    "prior-step": prior(f"clip: false min_size: 20 step: 10 {VARIANCES}"),
    "prior-steps": prior(f"clip: false min_size: 20 step_h: 8 step_w: 9 {VARIANCES}"),
    "prior-offset": prior(f"clip: false min_size: 20 offset: 0 {VARIANCES}"),
    "normalize": normalize("false", "false", 2),
    "normalize-shared": normalize("false", "true", 2),
    "normalize-across": normalize("true", "true", 2),
    "permute": one_layer({"x": random(2, 4, 5, 6)}, "Permute", "permute_param { order: 0 order: 2 order: 3 order: 1 }"),
    "permute-other": one_layer(
        {"x": random(2, 4, 5, 6)}, "Permute", "permute_param { order: 0 order: 3 order: 1 order: 2 }"
    ),
    "flatten": one_layer({"x": random(2, 4, 5, 6)}, "Flatten", ""),
    "flatten-axis": one_layer({"x": random(2, 4, 5, 6)}, "Flatten", "flatten_param { axis: 2 }"),
    "roi": regions("ROIPooling", "roi_pooling_param { pooled_h: 2 pooled_w: 3 spatial_scale: 0.0625 }"),
    "roi-7": regions("ROIPooling", "roi_pooling_param { pooled_h: 7 pooled_w: 7 spatial_scale: 0.125 }"),
    "psroi": regions("PSROIPooling", "psroi_pooling_param { output_dim: 2 group_size: 3 spatial_scale: 0.0625 }"),
    "psroi-1": regions("PSROIPooling", "psroi_pooling_param { output_dim: 18 group_size: 1 spatial_scale: 0.125 }"),
}


@functools.cache
def answers() -> dict[str, Array | str]:
    return asked(COMPUTED)


@pytest.mark.parametrize("name", COMPUTED)
def test_computes_what_opencv_computes(name: str) -> None:
    top = answers()[name]
    assert isinstance(top, np.ndarray), top
    np.testing.assert_allclose(ours(COMPUTED[name]), top, rtol=1e-5, atol=1e-5)


ALL_GIVEN: Settings = {
    "num_classes": 3, "share_location": True, "background_label_id": 0, "code_type": "CENTER_SIZE",
    "variance_encoded_in_target": False, "confidence_threshold": 0.3, "nms_threshold": 0.3, "top_k": 400,
    "keep_top_k": 200,
}  # fmt: skip
"""OpenCV does without few of them, and without keep_top_k it writes beyond its memory."""


def detection(**settings: Any) -> Case:
    """No two scores of a class are the same: which of them is kept is open in both."""
    given = {**ALL_GIVEN, **settings}
    blobs = ssd_blobs(0, 4, given["num_classes"], given["share_location"])
    scores = np.random.default_rng(9).permutation(blobs["conf"].size).reshape(blobs["conf"].shape)
    blobs["conf"] = (scores / scores.size).astype("f4")
    return one_layer(blobs, "DetectionOutput", ssd_param(given))


DETECTED = {
    "all": detection(),
    "corner": detection(code_type="CORNER"),
    "own_locations": detection(share_location=False),
    "other_background": detection(background_label_id=2),
    "no_background": detection(background_label_id=-1, share_location=False),
    "top_k": detection(top_k=7),
    "keep_top_k": detection(keep_top_k=9),
    "both": detection(top_k=20, keep_top_k=30),
    "one_class": detection(num_classes=2),
    "nothing": detection(confidence_threshold=1),
    "everything": detection(confidence_threshold=0, nms_threshold=0.99, keep_top_k=400),
    "an_ssd": Case(
        (ssd := small_ssd({**ALL_GIVEN, "num_classes": 2, "confidence_threshold": 0.1}, 2))[0],
        {"data": random(2, 3, 40, 40)},
        ssd[1],
    ),
}


@functools.cache
def detections() -> dict[str, Array | str]:
    return asked(DETECTED)


def rows_of(top: Array, ours: bool) -> Array:
    """What is found, for each image the best first, as OpenCV has it, and not by label, as Caffe.

    OpenCV fills up with zeros behind the last image, a model with -1 behind each.
    """
    rows = top.reshape(-1, 7)
    rows = rows[rows[:, 1] >= 0] if ours else rows[rows[:, 2] > 0]
    return rows[np.lexsort((-rows[:, 2], rows[:, 0]))]


@pytest.mark.parametrize("name", DETECTED)
def test_finds_what_opencv_finds(name: str) -> None:
    top = detections()[name]
    assert isinstance(top, np.ndarray), top
    found = rows_of(ours(DETECTED[name]), ours=True)
    assert (len(found) > 0) == (name != "nothing")
    np.testing.assert_allclose(found, rows_of(top, ours=False), rtol=1e-5, atol=1e-5)


DIFFERENT = {
    "clips, unless told not to": prior(f"min_size: 50 {VARIANCES}"),
    "goes by the image, whatever img_size says": prior(f"clip: false min_size: 20 img_size: 50 {VARIANCES}"),
    "takes fractions of pixels": prior(f"clip: false min_size: 20.9 {VARIANCES}"),
    "does not lower the threshold": detection(nms_threshold=0.9, eta=0.8),
}
REFUSED = {
    "has no default variance": prior("clip: false min_size: 20"),
    "does not know it": detection(code_type="CORNER_SIZE"),
    "takes no variances there": detection(variance_encoded_in_target=True),
    "has scales of images there": normalize("true", "false", 2),
}


def test_opencv_differs_from_caffe() -> None:
    """So that what is said of it stays true."""
    for name, top in asked(DIFFERENT).items():
        assert isinstance(top, np.ndarray), name
        mine = ours(DIFFERENT[name])
        if top.shape[-1] == 7:
            mine, top = rows_of(mine, ours=True), rows_of(top, ours=False)
        assert mine.shape != top.shape or np.abs(mine - top).max() > 1e-3, name
    assert {name: type(top) for name, top in asked(REFUSED).items()} == dict.fromkeys(REFUSED, str)


@pytest.mark.parametrize("name", ["hyperlpr_mininet_ssd", "retinaface_minivision"])
def test_a_public_detector_finds_what_it_finds_in_opencv(name: str, tmp_path: Path) -> None:
    folder = SHARED / "models" / name
    if not folder.exists():
        pytest.skip("no folder of public models beside the checkout")
    pytest.importorskip("keras")
    text = (folder / "deploy.prototxt").read_text()
    text = re.sub(r"(confidence_threshold:) \S+", r"\1 0.001", text)  # what is fed is no picture
    text = re.sub(r"(_size: \d+)\.\d+", r"\1", text)  # of priors, the fractions of which OpenCV takes
    prototxt = tmp_path / "net.prototxt"
    prototxt.write_text(text)
    made = written(load_net(prototxt, weights_of(folder)), tmp_path / "written")
    ((blob, held),) = made.inputs()
    _, channels, height, width = (size or 1 for size in held.shape or ())
    x = np.kron(random(1, channels, height // 32, width // 32), np.ones((32, 32), "f4"))
    ((_, top),) = made.run({blob: x})
    for file, content in (("net.caffemodel", weights_of(folder).read_bytes()), ("wanted.txt", b"detection_out")):
        (tmp_path / file).write_bytes(content)
    keep(tmp_path / "inputs.npz", {blob: x})
    subprocess.run([PYTHON, PROBE, tmp_path], capture_output=True, check=True)
    found, expected = rows_of(top, ours=True), rows_of(saved(tmp_path)["detection_out"], ours=False)
    assert len(expected) > 5
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)
