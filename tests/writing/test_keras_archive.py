"""OUT.keras: its members and its bytes, and that Keras, alone, computes with it what real Caffe computed."""

from __future__ import annotations

import json
import re
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from caffeconv.errors import UnsupportedError, WriteError
from caffeconv.keras.assembling import assembled
from caffeconv.keras.building import Options
from caffeconv.keras.functions import CLASSES, bound
from caffeconv.model import Array, Net, Weight
from caffeconv.net.loading import load_net
from caffeconv.writing import keras_archive
from caffeconv.writing.keras_archive import archiving, write_keras_archive
from tests.support.archives import config_of, layers_of, loaded, ran, single
from tests.support.graph_runs import array_of
from tests.support.net_builder import filled, input_text, layer_text, net_of
from tests.support.places import FIXTURES
from tests.support.python_models import Written, computable, every_blob, worst_error
from tests.writing.test_python_source import RUN, WITHOUT_OUTPUTS, Golden, fixture

TOLERANCE = 1e-5
"""Of the largest number in a blob."""

UNFIT = {
    "concat_slice": r"slice_batch \(Slice\): Keras has no operation .* a part of a batch",
}
"""Fixtures with a layer that Keras does not compute, and how it is refused."""


def written(net: Net, path: Path) -> Path:
    write_keras_archive(path, net, assembled(net, Options()))
    return path


def lenet() -> Net:
    return load_net(FIXTURES / "lenet_like" / "net.prototxt", FIXTURES / "lenet_like" / "net.caffemodel")


def members(path: Path) -> list[zipfile.ZipInfo]:
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return archive.infolist()


class TestFile:
    def test_members_are_stored_in_the_order_of_keras(self, tmp_path: Path) -> None:
        found = members(written(lenet(), tmp_path / "out.keras"))
        assert [member.filename for member in found] == ["metadata.json", "config.json", "model.weights.h5"]
        assert {member.compress_type for member in found} == {zipfile.ZIP_STORED}
        assert {member.date_time for member in found} == {(1980, 1, 1, 0, 0, 0)}

    def test_the_metadata_names_the_oldest_version_that_reads_it(self, tmp_path: Path) -> None:
        with zipfile.ZipFile(written(lenet(), tmp_path / "out.keras")) as archive:
            metadata = json.loads(archive.read("metadata.json"))
        assert metadata["keras_version"] == "3.0.0"
        assert re.fullmatch(r"\d{4}-\d\d-\d\d@\d\d:\d\d:\d\d", metadata["date_saved"])

    def test_weights_are_where_keras_looks_for_them(self, tmp_path: Path) -> None:
        with zipfile.ZipFile(written(lenet(), tmp_path / "out.keras")) as archive:
            archive.extract("model.weights.h5", tmp_path)
        places: dict[str, Any] = {}
        with h5py.File(tmp_path / "model.weights.h5") as file:
            assert len(file["vars"]) == 0
            file.visititems(lambda name, item: places.update({name: item}) if isinstance(item, h5py.Dataset) else None)
            assert {name: item.shape for name, item in places.items()} == {
                f"layers/{layer}/vars/{place}": weight.shape
                for layer, node in zip(
                    ("conv2d", "conv2d_1", "dense", "dense_1"),
                    (node for node in assembled(lenet(), Options()).nodes if node.weights),
                    strict=True,
                )
                for place, weight in enumerate(node.weights)
            }
            assert {(item.dtype.str, item.chunks, item.compression) for item in places.values()} == {
                ("<f4", None, None)
            }

    def test_the_same_net_gives_the_same_bytes(self, tmp_path: Path) -> None:
        first, second = (written(lenet(), tmp_path / f"{name}.keras") for name in "ab")
        assert first.read_bytes() == second.read_bytes()

    def test_an_existing_file_survives_what_cannot_be_written(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(*_: Any, **__: Any) -> None:
            raise OSError(28, "No space left on device")

        path = tmp_path / "out.keras"
        path.write_bytes(b"before")
        monkeypatch.setattr(keras_archive, "copy_pieces", full)
        with pytest.raises(WriteError, match="No space left"):
            written(lenet(), path)
        assert [each.name for each in tmp_path.iterdir()] == ["out.keras"]
        assert path.read_bytes() == b"before"

    def test_it_appears_when_the_block_ends_well(self, tmp_path: Path) -> None:
        net = lenet()
        path = tmp_path / "out.keras"
        with archiving(path, net, assembled(net, Options())):
            assert not path.exists()
        assert path.exists()
        path.write_bytes(b"before")
        with pytest.raises(KeyError), archiving(path, net, assembled(net, Options())):
            raise KeyError
        assert path.read_bytes() == b"before"
        assert [each.name for each in tmp_path.iterdir()] == ["out.keras"]


class TestRefusals:
    def test_a_layer_without_a_form_is_named_with_its_type(self, tmp_path: Path) -> None:
        path = tmp_path / "out.keras"
        path.write_bytes(b"before")
        net = net_of(input_text("data", 1, 3, 8, 8) + layer_text("odd", "NobodyKnowsThis", "data"))
        with pytest.raises(UnsupportedError, match=r"odd \(NobodyKnowsThis\): .*--format py"):
            written(net, path)
        assert path.read_bytes() == b"before"

    def test_an_input_without_axes_is_refused(self, tmp_path: Path) -> None:
        net = net_of(layer_text("relu", "ReLU", "data"))
        with pytest.raises(UnsupportedError, match=r"data: .*--input-shape"):
            written(net, tmp_path / "out.keras")
        assert not list(tmp_path.iterdir())

    def test_sizes_that_are_reckoned_with_must_be_known(self, tmp_path: Path) -> None:
        net, model = single("LRN", {"size": 3, "alpha": 1.0, "beta": 0.75, "k": 1.0}, [(2, 5, 5, 4)])
        unknown = replace(model, inputs=(replace_shape(model.inputs[0], (2, None, None, 4)),), values={})
        with pytest.raises(UnsupportedError, match=r"node: .*size"):
            write_keras_archive(tmp_path / "out.keras", net, unknown)

    @pytest.mark.parametrize("name", sorted(UNFIT))
    def test_what_does_not_fit_is_refused(self, name: str, tmp_path: Path) -> None:
        with pytest.raises(UnsupportedError, match=UNFIT[name]):
            written(fixture(name), tmp_path / "out.keras")


def replace_shape(value: Any, shape: tuple[int | None, ...]) -> Any:
    return value._replace(held=replace(value.held, shape=shape))


def named_like_operations() -> Net:
    """Names that Keras gives to operations, that no Keras takes, and that differ in case alone."""
    text = input_text("data", 1, 4, 6, 6)
    names = ["reshape", "multiply_1", "a/b", "a_b", "A_B", "power"]
    for before, name in zip(["data", *names], names, strict=False):
        text += layer_text(name, "Convolution", before, more="convolution_param { num_output: 4 kernel_size: 1 }")
    more = "lrn_param { local_size: 3 alpha: 0.5 }"
    return filled(text + layer_text("norm", "LRN", names[-1], more=more))


class TestEdges:
    """What goes in and comes out."""

    def test_an_input_that_is_an_output_has_a_layer_behind_it(self, tmp_path: Path) -> None:
        net, model = single("ReLU", {}, [(2, 3)])
        model = replace(model, outputs=(*model.outputs, ("in0", model.inputs[0])))
        x = random((2, 3), 0)
        got = ran(net, model, tmp_path / "out.keras", [x])
        np.testing.assert_array_equal(got[1], x)
        assert config_of(tmp_path / "out.keras")["config"]["output_layers"][1] == ["in0_output", 0, 0]

    def test_several_inputs_and_outputs_stay_in_order(self, tmp_path: Path) -> None:
        net, model = single("LSTMUnit", {}, [(1, 2, 3), (1, 2, 12), (1, 2)], 2)
        write_keras_archive(tmp_path / "out.keras", net, model)
        keras_model = loaded(tmp_path / "out.keras")
        assert [each.name for each in keras_model.inputs] == ["in0", "in1", "in2"]
        assert [each.shape[-1] for each in keras_model.outputs] == [3, 3]

    def test_a_layer_that_is_called_twice_stands_once(self, tmp_path: Path) -> None:
        text = input_text("a", 1, 4, 2, 2) + input_text("b", 1, 4, 2, 2)
        more = "convolution_param { num_output: 3 kernel_size: 1 }"
        path = written(filled(text + layer_text("both", "Convolution", "a b", "x y", more)), tmp_path / "out.keras")
        [layer] = [each for each in layers_of(path) if each["class_name"] == "Conv2D"]
        assert len(layer["inbound_nodes"]) == 2
        assert config_of(path)["config"]["output_layers"] == [["both", 0, 0], ["both", 1, 0]]
        keras_model = loaded(path)
        a, b = random((1, 2, 2, 4), 0), random((1, 2, 2, 4), 1)
        kernel, bias = keras_model.get_layer("both").get_weights()
        for got, given in zip(keras_model([a, b]), (a, b), strict=True):
            np.testing.assert_allclose(array_of(got), given @ kernel[0, 0] + bias, rtol=1e-5)

    def test_sizes_that_the_net_does_not_tell_are_left_open(self, tmp_path: Path) -> None:
        net, model = single("ReLU", {}, [(2, 3, 4)])
        open_sizes = replace_shape(model.inputs[0], (None, None, 4))
        model = replace(model, inputs=(open_sizes,), values={})
        [got] = ran(net, model, tmp_path / "out.keras", [random((1, 9, 4), 0)])
        assert got.shape == (1, 9, 4)
        assert layers_of(tmp_path / "out.keras")[0]["config"]["batch_shape"] == [None, None, 4]


class TestNames:
    def test_they_are_unique_and_hold_no_slash(self, tmp_path: Path) -> None:
        names = [layer["name"] for layer in layers_of(written(named_like_operations(), tmp_path / "out.keras"))]
        assert len({name.lower() for name in names}) == len(names)
        assert not any("/" in name for name in names)
        assert {"a_b", "multiply_1_layer", "reshape_layer", "multiply", "norm_pool"} <= set(names)

    def test_operations_are_called_as_keras_calls_them(self, tmp_path: Path) -> None:
        keras = pytest.importorskip("keras")
        path = written(named_like_operations(), tmp_path / "out.keras")
        keras.utils.clear_session()
        assert {each.name for each in loaded(path).operations} == {layer["name"] for layer in layers_of(path)}

    def test_two_models_load_beside_each_other(self, tmp_path: Path) -> None:
        path = written(named_like_operations(), tmp_path / "out.keras")
        assert len(loaded(path).layers) == len(loaded(path).layers)


class TestValues:
    @pytest.mark.parametrize("name", [name for name in RUN if name not in (*WITHOUT_OUTPUTS, *UNFIT)])
    def test_every_blob_is_what_caffe_computes(self, name: str, tmp_path: Path) -> None:
        net, path, golden = fixture(name), tmp_path / "out.keras", Golden(name)
        model = assembled(net, Options())
        model = replace(model, outputs=(*computable(net, model), *every_blob(net, model)))
        write_keras_archive(path, net, model)
        keras_model = loaded(path)
        got = Written(net, model, path).run(golden.inputs(), keras_model)
        assert got
        errors = {blob: worst_error(array, golden.of(blob)) for blob, array in got}
        assert {blob: error for blob, error in errors.items() if error > TOLERANCE} == {}
        assert [each["name"] for each in layers_of(path) if each["module"] == "keras.layers"] == [
            layer.name for layer in keras_model.layers
        ]


PADS = ((1, 1), (1, 2))
WINDOWS = {"pool_size": (3, 2), "strides": (2, 3), "pads": PADS, "ceil": True}
PLACED = {"shape": (1, 4, 7, 1), "axes": (0, 2, 3, 1)}
UNPOOLED = {"pool_size": (3, 2), "strides": (2, 2)}
PLACES = {**UNPOOLED, "pads": ((0, 0), (0, 0))}
MAPS = (2, 7, 6, 4)

FUNCTIONS = [
    pytest.param("Affine", {**PLACED, "scaled": True}, [MAPS], id="Affine"),
    pytest.param("Absolute", {}, [MAPS], id="Absolute"),
    pytest.param("ArgMax", {"axis": 1, "top_k": 2, "out_max_val": False}, [MAPS], id="ArgMax"),
    pytest.param("ArgMax", {"axis": 3, "top_k": 2, "out_max_val": True}, [MAPS], id="ArgMax-values"),
    pytest.param("ArgMaxOfSample", {"top_k": 3, "out_max_val": True}, [(2, 9)], id="ArgMaxOfSample"),
    pytest.param("CaffeAveragePooling", WINDOWS, [MAPS], id="CaffeAveragePooling"),
    pytest.param("CaffeMaxPooling", WINDOWS, [MAPS], id="CaffeMaxPooling"),
    pytest.param("Clip", {"low": -0.5, "high": 0.25}, [MAPS], id="Clip"),
    pytest.param("Constant", {"values": [[[1.0, 2.0], [3.0, 4.0]]]}, [MAPS], id="Constant"),
    pytest.param("Exponential", {"factor": 0.5, "offset": 0.25}, [MAPS], id="Exponential"),
    pytest.param("FixedPoint", {"step": 0.25, "low": -0.5, "high": 0.25}, [MAPS], id="FixedPoint"),
    pytest.param("FixedPoint", {"step": 0.25, "low": None, "high": None}, [MAPS], id="FixedPoint-truncated"),
    pytest.param("Flip", {"axis": 2}, [MAPS], id="Flip"),
    pytest.param("HardSwish", {}, [MAPS], id="HardSwish"),
    pytest.param(
        "Im2col", {"kernel": (3, 2), "strides": (2, 1), "pads": PADS, "dilations": (1, 2)}, [MAPS], id="Im2col"
    ),
    pytest.param("InnerDistance", {"distance": "L1"}, [(2, 6)], id="InnerDistance"),
    pytest.param("Interpolate", {"height": 13, "width": 4, "crop": (1, 0)}, [MAPS], id="Interpolate"),
    pytest.param("LRN", {"size": 3, "alpha": 0.5, "beta": 0.75, "k": 2.0}, [MAPS], id="LRN"),
    pytest.param("LRNWithin", {"size": 3, "alpha": 0.5, "beta": 0.75}, [MAPS], id="LRNWithin"),
    pytest.param("LSTMUnit", {}, [(1, 2, 3), (1, 2, 12), (1, 2)], id="LSTMUnit"),
    pytest.param("Local", {"kernel_size": (2, 2), "strides": (3, 2), "pads": PADS}, [MAPS], id="Local"),
    pytest.param("Logarithm", {"factor": 2.0, "scale": 0.5, "shift": 3.0}, [MAPS], id="Logarithm"),
    pytest.param("MovingNormalize", {"tops": 2}, [(4, 6)], id="MovingNormalize"),
    pytest.param("MVN", {"axes": (1, 2), "normalize_variance": True, "eps": 1e-9}, [MAPS], id="MVN"),
    pytest.param("MVN", {"axes": (1, 2, 3), "normalize_variance": False, "eps": 0.0}, [MAPS], id="MVN-mean"),
    pytest.param("PadLowest", {"pads": PADS}, [MAPS], id="PadLowest"),
    pytest.param(
        "PriorBox",
        {
            "sizes": ((4.0, 5.0), (8.0, 3.0)),
            "clip": True,
            "variances": (0.1, 0.2, 0.3, 0.4),
            "steps": (0, 6.0),
            "offset": 0.5,
            "image_size": (0, 0),
        },
        [MAPS, (2, 30, 40, 3)],
        id="PriorBox",
    ),
    pytest.param("Parameter", {}, [MAPS], id="Parameter"),
    pytest.param("PoolingMask", WINDOWS, [MAPS], id="PoolingMask"),
    pytest.param("Power", {"power": 2.0, "scale": 0.5, "shift": 3.0}, [MAPS], id="Power"),
    pytest.param("Reduction", {"operation": "SUMSQ", "axes": (1, 3), "coeff": 0.5}, [MAPS], id="Reduction"),
    pytest.param("Reduction", {"operation": "MEAN", "axes": (1, 2, 3), "coeff": 1.0}, [MAPS], id="Reduction-mean"),
    pytest.param("ReorderFeatures", {"segments": ((3, 2, 2), (4, 1, 1))}, [(2, 16)], id="ReorderFeatures"),
    pytest.param("Reorganize", {"stride": 2, "reverse": False}, [(2, 4, 6, 4)], id="Reorganize"),
    pytest.param("Reorganize", {"stride": 2, "reverse": True}, [(2, 4, 6, 4)], id="Reorganize-back"),
    pytest.param("ReshapeAll", {"shape": (-1, 6, 4)}, [MAPS], id="ReshapeAll"),
    pytest.param("ScaleBy", PLACED, [MAPS, (4, 7)], id="ScaleBy"),
    pytest.param("ScaleWhole", {"tops": 2}, [MAPS], id="ScaleWhole"),
    pytest.param("ShiftBy", PLACED, [MAPS, (4, 7)], id="ShiftBy"),
    pytest.param("Spread", {"method": "AVE", **UNPOOLED, "height": 13, "width": 11}, [MAPS], id="Spread"),
    pytest.param("Split", {"points": (1, 4), "axis": 1}, [MAPS], id="Split"),
    pytest.param("Swish", {"beta": 1.5}, [MAPS], id="Swish"),
    pytest.param("Normalize", {"across_spatial": True, "eps": 1e-10}, [MAPS], id="Normalize"),
    pytest.param("TakeAlong", {"order": (2, 0, 3, 1), "axis": -1}, [MAPS], id="TakeAlong"),
    pytest.param("TakeItems", {}, [(3, 4), (3,)], id="TakeItems"),
    pytest.param("Threshold", {"threshold": 0.1}, [MAPS], id="Threshold"),
    pytest.param("TransposeAll", {"axes": (1, 0, 2)}, [(3, 2, 4)], id="TransposeAll"),
    pytest.param("Unpool", {**PLACES, "height": 7, "width": 6}, [(2, 3, 3, 4)] * 2 + [MAPS], id="Unpool"),
    pytest.param("Unpool", {**PLACES, "height": 8, "width": 8}, [(2, 3, 3, 4)] * 2 + [MAPS], id="Unpool-larger"),
    pytest.param("Unpool", {**PLACES, "height": 5, "width": 6}, [(2, 3, 3, 4)] * 2 + [MAPS], id="Unpool-smaller"),
    pytest.param(
        "WeightedPooling", {"pool_size": (2, 3), "strides": (1, 2), "ceil": True}, [MAPS], id="WeightedPooling"
    ),
]

ARRAYS: dict[str, dict[str, tuple[int, ...]]] = {
    "Affine": {"gamma": (4, 7), "beta": (4, 7)},
    "InnerDistance": {"centers": (3, 6), "bias": (3,)},
    "Local": {"kernel": (2, 1, 16, 12), "bias": (1, 1, 2, 12)},
    "MovingNormalize": {"scale": (1,)},
    "Normalize": {"gamma": (4,)},
    "Parameter": {"weights_0": (3, 2, 4)},
    "ScaleWhole": {"scale": (1,)},
}
"""Of the classes with weights, in load order."""
SSD = {
    "num_classes": 2,
    "share_location": True,
    "background_label_id": 0,
    "code_type": "CORNER",
    "variance_encoded_in_target": False,
    "confidence_threshold": 0.1,
    "nms_threshold": 0.3,
    "eta": 1.0,
    "top_k": 5,
    "keep_top_k": 5,
}
YOLO = {"anchors": (((0.5, 0.5),),), "num_classes": 1, "confidence_threshold": 0.1, "nms_threshold": 0.3}
NOT_IN_ARCHIVES: dict[str, tuple[dict[str, Any], list[tuple[int, ...]]]] = {
    "DetectionOutput": (SSD, [(2, 8), (2, 4), (1, 2, 8)]),
    "PSROIPooling": ({"group_size": 2, "spatial_scale": 1.0}, [MAPS, (3, 5)]),
    "ROIAlign": ({"pooled_h": 2, "pooled_w": 2, "spatial_scale": 1.0, "sampling_ratio": 2}, [MAPS, (3, 5)]),
    "ROIPooling": ({"pooled_h": 2, "pooled_w": 2, "spatial_scale": 1.0}, [MAPS, (3, 5)]),
    "YoloDetectionOutput": (YOLO, [(2, 3, 3, 6)]),
    "Yolov3DetectionOutput": (YOLO, [(2, 3, 3, 6)]),
}


class TestFunctions:
    def test_each_has_a_case(self) -> None:
        assert {str(case.values[0]) for case in FUNCTIONS} == set(CLASSES) - set(NOT_IN_ARCHIVES)

    @pytest.mark.parametrize("class_name", NOT_IN_ARCHIVES)
    def test_what_takes_parts_of_a_batch_is_refused(self, class_name: str, tmp_path: Path) -> None:
        net, model = single(class_name, *NOT_IN_ARCHIVES[class_name])
        with pytest.raises(UnsupportedError, match="a part of a batch; use --format py"):
            write_keras_archive(tmp_path / "out.keras", net, model)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(("class_name", "arguments", "shapes"), FUNCTIONS)
    def test_its_operations_compute_what_it_computes(
        self, class_name: str, arguments: dict[str, Any], shapes: list[tuple[int, ...]], tmp_path: Path
    ) -> None:
        keras = pytest.importorskip("keras")
        inputs = [random(shape, number) for number, shape in enumerate(shapes)]
        if class_name == "TakeItems":
            inputs[1] = np.array([2, 0, 2], np.float32)
        if class_name == "Unpool":
            inputs[1] = np.random.default_rng(3).integers(30, size=shapes[1]).astype("f4")
        arrays = {name: random(shape, 10) for name, shape in ARRAYS.get(class_name, {}).items()}
        taken = [*inputs, *arrays.values()]
        expected = bound(class_name, keras.ops)(*map(keras.ops.convert_to_tensor, taken), **arguments)
        expected = list(expected) if isinstance(expected, list | tuple) else [expected]
        weights = tuple(Weight(name, array, array.shape) for name, array in arrays.items())
        net, model = single(class_name, arguments, shapes, len(expected), weights)
        if class_name in ("PriorBox", "Unpool"):  # of the last input it reads nothing but the size
            inputs = inputs[:-1]
        got = ran(net, model, tmp_path / "out.keras", inputs)
        for array, tensor in zip(got, expected, strict=True):
            np.testing.assert_allclose(array, array_of(tensor), rtol=1e-5, atol=1e-6)
        assert config_of(tmp_path / "out.keras")["config"]["output_layers"]

    @pytest.mark.parametrize("across", [True, False])
    def test_a_norm_is_divided_by(self, across: bool, tmp_path: Path) -> None:
        x, gamma = random(MAPS, 1), random((4,), 2)
        weight = Weight("gamma", gamma, gamma.shape)
        net, model = single("Normalize", {"across_spatial": across, "eps": 1e-10}, [MAPS], weights=(weight,))
        [got] = ran(net, model, tmp_path / "out.keras", [x])
        norm = np.sqrt((x**2).sum((1, 2, 3) if across else -1, keepdims=True) + 1e-10)
        np.testing.assert_allclose(got, x / norm * gamma, rtol=1e-5, atol=1e-6)


def random(shape: tuple[int, ...], seed: int) -> Array:
    values: Array = np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)
    return values
