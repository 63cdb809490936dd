"""What finds objects, against plain loops over the forks' definitions: SSD's DetectionOutput, and those of YOLO."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from caffeconv.keras.assembling import assembled
from caffeconv.keras.building import Options
from caffeconv.keras.graph import Model
from caffeconv.model import Array, Net
from tests.support.graph_runs import computed, outputs
from tests.support.naive_detection import detections, yolo_detections, yolov3_detections
from tests.support.net_builder import input_text, layer_text, net_of
from tests.support.python_models import KERAS, Outputs, using, written
from tests.support.ssd_nets import SMALLEST, Blobs, numbers, small_ssd, ssd_blobs, ssd_param

Rows = Sequence[Array]

CHOICE = {**SMALLEST, "code_type": "CENTER_SIZE", "top_k": 50, "keep_top_k": 20}


def net_for(blobs: Blobs, kind: str, param: str) -> Net:
    text = "".join(input_text(name, *array.shape) for name, array in blobs.items())
    return net_of(text + layer_text("it", kind, " ".join(blobs), more=param))


def computed_by(keras: ModuleType, net: Net, blobs: Blobs) -> Array:
    model = assembled(net, Options())
    (result,) = outputs(model, computed(keras, model, blobs)).values()
    return result


def found_by_ssd(blobs: Blobs, settings: dict[str, Any]) -> list[list[Array]]:
    return detections(blobs["loc"], blobs["conf"], blobs["prior"], **settings)


def same_rows(got: Array, expected: Rows) -> None:
    """What is expected stands first, as it is, and what is left over is -1."""
    np.testing.assert_allclose(got[: len(expected)], np.reshape(expected, (-1, 7)), rtol=1e-5, atol=1e-6)
    assert (got[len(expected) :] == -1).all()


def same_images(got: Array, expected: Sequence[Rows]) -> None:
    assert got.shape[:2] == (1, 1)
    for rows, wanted in zip(got.reshape(len(expected), -1, 7), expected, strict=True):
        same_rows(rows, wanted)


SETTINGS: dict[str, dict[str, Any]] = {
    "corner": {},
    "center_size": {"code_type": "CENTER_SIZE"},
    "corner_size": {"code_type": "CORNER_SIZE"},
    "corner-encoded": {"variance_encoded_in_target": True},
    "center_size-encoded": {"code_type": "CENTER_SIZE", "variance_encoded_in_target": True},
    "corner_size-encoded": {"code_type": "CORNER_SIZE", "variance_encoded_in_target": True},
    "own_locations": {"code_type": "CENTER_SIZE", "share_location": False},
    "other_background": {"code_type": "CENTER_SIZE", "background_label_id": 2},
    "own_locations-other_background": {"share_location": False, "background_label_id": 1},
    "no_background": {"code_type": "CENTER_SIZE", "share_location": False, "background_label_id": -1},
    "top_k": {"code_type": "CENTER_SIZE", "top_k": 7},
    "keep_top_k": {"code_type": "CENTER_SIZE", "keep_top_k": 9},
    "both": {"code_type": "CENTER_SIZE", "top_k": 20, "keep_top_k": 30},
    "more_than_there_are": {"code_type": "CENTER_SIZE", "top_k": 400, "keep_top_k": 2000},
    "adaptive": {"code_type": "CENTER_SIZE", "nms_threshold": 0.9, "eta": 0.9},
    "adaptive-not_above_half": {"code_type": "CENTER_SIZE", "nms_threshold": 0.5, "eta": 0.5},
    "no_threshold": {"code_type": "CENTER_SIZE", "confidence_threshold": None},
    "no_nms_threshold": {"code_type": "CENTER_SIZE", "nms_threshold": None},
    "nothing_overlaps": {"code_type": "CENTER_SIZE", "nms_threshold": 0},
    "everything_may": {"code_type": "CENTER_SIZE", "nms_threshold": 1},
}


def settings_of(name: str) -> dict[str, Any]:
    given = {"num_classes": 3, "nms_threshold": 0.3, "confidence_threshold": 0.3, **SETTINGS[name]}
    return {key: value for key, value in given.items() if value is not None}


class TestDetectionOutput:
    @pytest.mark.parametrize("name", SETTINGS)
    def test_finds_what_ssd_finds(self, keras: ModuleType, name: str) -> None:
        settings = settings_of(name)
        blobs = ssd_blobs(0, 4, 3, settings.get("share_location", True))
        got = computed_by(keras, net_for(blobs, "DetectionOutput", ssd_param(settings)), blobs)
        expected = found_by_ssd(blobs, settings)
        assert all(expected)
        same_images(got, expected)

    @pytest.mark.parametrize(
        ("settings", "rows"), [({"keep_top_k": 5}, 5), ({"top_k": 6}, 18), ({}, 180), ({"keep_top_k": 999}, 180)]
    )
    def test_has_so_many_rows_an_image(self, keras: ModuleType, settings: dict[str, Any], rows: int) -> None:
        blobs = ssd_blobs(0, 3, 4, True)
        net = net_for(blobs, "DetectionOutput", ssd_param({"num_classes": 4, **settings}))
        assert computed_by(keras, net, blobs).shape == (1, 1, 3 * rows, 7)

    @pytest.mark.parametrize("eta", [1, 0.99])
    def test_a_chain_of_overlaps_leaves_every_other(self, keras: ModuleType, eta: float) -> None:
        """A box is suppressed by what is kept alone: of two neighbours the worse, unless its better one is gone."""
        count, rng = 40, np.random.default_rng(5)
        left = np.arange(count) / 64
        corners = np.stack([left, np.zeros(count), left + 3 / 64, np.ones(count)], axis=1)
        shuffled = rng.permutation(count)
        scores = np.stack([np.zeros(count), 1 - np.arange(count) / 64], axis=1)[shuffled]
        blobs = {
            "loc": np.zeros((1, count * 4), "f4"),
            "conf": scores.reshape(1, -1).astype("f4"),
            "prior": np.stack([corners[shuffled].ravel(), np.ones(count * 4)])[np.newaxis].astype("f4"),
        }
        settings: dict[str, Any] = {**SMALLEST, "eta": eta}
        expected = found_by_ssd(blobs, settings)
        assert [row[3] * 64 for row in expected[0]] == list(range(0, count, 2))
        same_images(computed_by(keras, net_for(blobs, "DetectionOutput", ssd_param(settings)), blobs), expected)

    def test_equal_scores_stay_in_the_order_of_the_priors(self, keras: ModuleType) -> None:
        blobs = ssd_blobs(1, 2, 2, True)
        blobs["conf"][:] = 0.5
        settings: dict[str, Any] = {**SMALLEST, "code_type": "CENTER_SIZE", "top_k": 31}
        expected = found_by_ssd(blobs, settings)
        same_images(computed_by(keras, net_for(blobs, "DetectionOutput", ssd_param(settings)), blobs), expected)

    def test_an_overlap_of_just_the_threshold_is_kept(self, keras: ModuleType) -> None:
        corners = np.array([[0, 0, 1, 1], [0.5, 0, 1, 1], [0, 0, 1, 0.53125]], "f4")
        blobs = {
            "loc": np.zeros((1, 12), "f4"),
            "conf": np.array([[0, 0.75, 0, 0.5, 0, 0.25]], "f4"),
            "prior": np.stack([corners.ravel(), np.ones(12, "f4")])[np.newaxis],
        }
        settings: dict[str, Any] = {"num_classes": 2, "nms_threshold": 0.5, "confidence_threshold": 0.25}
        got = computed_by(keras, net_for(blobs, "DetectionOutput", ssd_param(settings)), blobs)
        assert got[0, 0, :, 2].tolist() == [0.75, 0.5, -1]  # the third has no score above the threshold
        settings["confidence_threshold"] = 0.1
        got = computed_by(keras, net_for(blobs, "DetectionOutput", ssd_param(settings)), blobs)
        assert got[0, 0, :, 2].tolist() == [0.75, 0.5, -1]  # nor an overlap as small

    @pytest.mark.parametrize("background", [0, 1])
    def test_finds_nothing(self, keras: ModuleType, background: int) -> None:
        blobs = ssd_blobs(2, 2, 2, True)
        blobs["conf"] = np.tile(np.eye(2, dtype="f4")[background], (2, 60))
        settings: dict[str, Any] = {**SMALLEST, "background_label_id": background, "keep_top_k": 4}
        got = computed_by(keras, net_for(blobs, "DetectionOutput", ssd_param(settings)), blobs)
        assert found_by_ssd(blobs, settings) == [[], []]
        np.testing.assert_array_equal(got, np.full((1, 1, 8, 7), -1))

    def test_one_image_has_nothing(self, keras: ModuleType) -> None:
        blobs = ssd_blobs(3, 3, 3, True)
        blobs["conf"][1] = np.nan
        settings: dict[str, Any] = {**settings_of("center_size"), "keep_top_k": 6}
        expected = found_by_ssd(blobs, settings)
        assert [bool(rows) for rows in expected] == [True, False, True]
        same_images(computed_by(keras, net_for(blobs, "DetectionOutput", ssd_param(settings)), blobs), expected)

    def test_boxes_turned_inside_out_overlap_nothing(self, keras: ModuleType) -> None:
        blobs = ssd_blobs(4, 2, 2, True)
        blobs["loc"] *= 8
        expected = found_by_ssd(blobs, SMALLEST)
        assert any(row[3] > row[5] for row in expected[0])
        same_images(computed_by(keras, net_for(blobs, "DetectionOutput", ssd_param(SMALLEST)), blobs), expected)

    def test_says_that_rows_are_left_over(self) -> None:
        blobs = ssd_blobs(0, 1, 2, True)
        notes = assembled(net_for(blobs, "DetectionOutput", ssd_param(SMALLEST)), Options()).notes
        assert [note.text for note in notes if note.layer == "it"] == [
            "its rows are as many as there can be: those that are left over are -1"
        ]


def yolo_maps(seed: int, classes: int, boxes: int, sides: Sequence[int], images: int = 1) -> Blobs:
    rng = np.random.default_rng(seed)
    return {
        f"map{side}": rng.normal(0, 1.5, (images, boxes * (5 + classes), side, side)).astype("f4") for side in sides
    }


BIASES = (1.08, 1.19, 3.42, 4.41, 0.5, 2.5, 4.0, 1.0, 2.0, 2.0, 0.7, 0.7)


class TestYolo:
    @staticmethod
    def thresholds(least: float | None, limit: float | None) -> tuple[str, dict[str, float]]:
        """What is given of them, in a prototxt and to the formulas; both know what is meant where nothing is."""
        if least is None or limit is None:
            return "", {}
        return f"confidence_threshold: {least} nms_threshold: {limit} ", {"least": least, "limit": limit}

    @pytest.mark.parametrize(("sides", "images"), [((6,), 1), ((6, 3), 1), ((4,), 3)])
    @pytest.mark.parametrize(("least", "limit"), [(0.2, 0.45), (0.05, 0.3), (0.999, 0.45), (None, None)])
    def test_of_its_second_version(
        self, keras: ModuleType, sides: tuple[int, ...], images: int, least: float | None, limit: float | None
    ) -> None:
        blobs = yolo_maps(1, 4, 3, sides, images)
        param, thresholds = self.thresholds(least, limit)
        param += f"num_classes: 4 {numbers('biases', BIASES[:6])}"
        net = net_for(blobs, "YoloDetectionOutput", f"yolo_detection_output_param {{ {param} }}")
        got = computed_by(keras, net, blobs)
        assert got.shape == (1, 1, sum(3 * side**2 for side in sides) * images, 7)
        same_rows(got[0, 0], yolo_detections(list(blobs.values()), BIASES, 4, **thresholds))

    @pytest.mark.parametrize(("sides", "images"), [((4, 8), 1), ((3,), 2)])
    @pytest.mark.parametrize(("least", "limit"), [(0.2, 0.45), (0.05, 0.3), (0.999, 0.45), (None, None)])
    def test_of_its_third_version(
        self, keras: ModuleType, sides: tuple[int, ...], images: int, least: float | None, limit: float | None
    ) -> None:
        blobs = yolo_maps(2, 3, 2, sides, images)
        mask, scales = [3, 4, 0, 1][: 2 * len(sides)], [16, 8][: len(sides)]
        biases = [10 * each for each in BIASES]
        param, thresholds = self.thresholds(least, limit)
        param += f"num_classes: 3 mask_group_num: {len(sides)} "
        param += " ".join([numbers("biases", biases), numbers("mask", mask), numbers("anchors_scale", scales)])
        net = net_for(blobs, "Yolov3DetectionOutput", f"yolov3_detection_output_param {{ {param} }}")
        expected = yolov3_detections(list(blobs.values()), biases, mask, scales, 3, **thresholds)
        same_rows(computed_by(keras, net, blobs)[0, 0], expected)


@pytest.fixture(params=KERAS)
def keras_name(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    using(monkeypatch, request.param)
    name: str = request.param
    return name


def compiled(model: Any) -> Any:
    """A model of Keras as its own `predict` calls it, compiled."""
    return lambda x: model.predict(x, verbose=0)


class TestWritten:
    """In models as Python, compiled by Keras, for a batch of any size."""

    @pytest.mark.parametrize("name", ["both", "own_locations", "adaptive"])
    def test_detection_output(self, keras_name: str, tmp_path: Path, name: str) -> None:
        settings = settings_of(name)
        blobs = ssd_blobs(7, 2, 3, settings.get("share_location", True))
        ((_, got),) = written(net_for(blobs, "DetectionOutput", ssd_param(settings)), tmp_path).run(blobs)
        same_images(got, found_by_ssd(blobs, settings))

    def test_a_whole_ssd(self, keras_name: str, tmp_path: Path) -> None:
        """Its priors are those of one image, beside a batch of any size."""
        net = net_of(*small_ssd(CHOICE))

        def inside(_: Net, model: Model) -> Outputs:
            values = {net.layers[source.layer].name: value for source, value in model.values.items()}
            return tuple((name, values[name]) for name in ("loc", "conf", "prior", "it"))

        image = np.random.default_rng(0).normal(0, 1, (2, 3, 40, 40)).astype("f4")
        made = written(net, tmp_path, inside)
        model = made.filled()
        got = dict(made.run({"data": image}, model))
        expected = found_by_ssd(got, CHOICE)
        assert all(len(rows) > 1 for rows in expected)
        same_images(got["it"], expected)
        *_, rows = compiled(model)(np.moveaxis(image, 1, -1))
        same_images(np.asarray(rows), expected)

    def test_yolo(self, keras_name: str, tmp_path: Path) -> None:
        blobs = yolo_maps(3, 4, 3, (5,), 2)
        param = f"num_classes: 4 confidence_threshold: 0.2 {numbers('biases', BIASES[:6])}"
        net = net_for(blobs, "YoloDetectionOutput", f"yolo_detection_output_param {{ {param} }}")
        made = written(net, tmp_path)
        expected = yolo_detections(list(blobs.values()), BIASES, 4, 0.2)
        same_rows(made.run(blobs)[0][1][0, 0], expected)
        rows = compiled(made.filled())(np.moveaxis(blobs["map5"], 1, -1))
        same_rows(np.asarray(rows)[0, 0], expected)
