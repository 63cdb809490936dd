"""`--report`: what it says of small nets whose graph anybody can draw, its schema, and the model that it speaks of."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import jsonschema
import numpy as np
import pytest

import caffeconv
from caffeconv.keras.building import Options
from caffeconv.keras.conversion import convert
from caffeconv.keras.description import describe_result, json_safe
from caffeconv.keras.graph import Layout, Part
from caffeconv.model import Net
from caffeconv.writing.report import VERSION
from tests.support import command
from tests.support.net_builder import filled, input_text, layer_text, net_of, values
from tests.support.places import FIXTURES
from tests.support.python_models import imported
from tests.support.reports import SCHEMA, Report, mistakes, report_on, strictly_read
from tests.support.shared_data import MODELS, PROTOTXTS, needs_models, needs_prototxts, weights_of
from tests.test_shared_prototxts import REFUSED

DATA = input_text("data", 2, 3, 6, 8)
CONV = "convolution_param { num_output: 4 kernel_size: 3 }"
DENSE = "inner_product_param { num_output: 5 }"
MAPS = {"layout": "last", "segments": []}
NOWHERE: dict[str, Any] = {"layout": None, "segments": [], "keras_shape": None, "node": None, "output": None}


def layer_of(report: Report, name: str) -> dict[str, Any]:
    (found,) = (layer for layer in report["net"]["layers"] if layer["name"] == name)
    layer: dict[str, Any] = found
    return layer


def node_of(report: Report, name: str) -> dict[str, Any]:
    (found,) = (node for node in report["model"]["nodes"] if node["name"] == name)
    node: dict[str, Any] = found
    return node


def became(report: Report) -> dict[str, str]:
    return {layer["name"]: layer["became"] for layer in report["net"]["layers"]}


class TestKnownAnswers:
    def test_a_chain_in_place(self, tmp_path: Path) -> None:
        text = DATA + layer_text("conv", "Convolution", "data", more=CONV)
        report = report_on(filled(text + layer_text("relu", "ReLU", "conv", "conv")), tmp_path)
        assert [layer["index"] for layer in report["net"]["layers"]] == [0, 1, 2]
        conv, relu = layer_of(report, "conv"), layer_of(report, "relu")
        assert (conv["in_place"], relu["in_place"]) == (False, True)
        assert relu["bottoms"] == [{"blob": "conv", "layer": 1, "top": 0}]
        held = {"blob": "conv", "shape": [2, 4, 4, 6], **MAPS, "keras_shape": [2, 4, 6, 4]}
        assert conv["tops"] == [{**held, "node": "conv", "output": 0}]
        assert relu["tops"] == [{**held, "node": "relu", "output": 0}]
        assert became(report) == {"data": "input", "conv": "layers", "relu": "layers"}
        assert node_of(report, "relu")["inputs"] == [{"node": "conv", "output": 0}]
        assert node_of(report, "conv") == {
            "name": "conv", "part": "main", "class_name": "Conv2D", "of_keras": True, "problem": None, "calls": None,
            "arguments": {"filters": 4, "kernel_size": 3, "padding": "valid"},
            "inputs": [{"node": "data", "output": 0}], "outputs": 1, "origins": [1],
            "weights": ["kernel", "bias"], "stored_as": "conv", "used": True,
        }  # fmt: skip

    def test_several_inputs_and_outputs(self, tmp_path: Path) -> None:
        text = (
            DATA
            + input_text("vector", 2, 7)
            + layer_text("parts", "Slice", "data", "a b", "slice_param { slice_point: 1 }")
        )
        text += layer_text("fc", "InnerProduct", "vector", more=DENSE) + layer_text("act", "ReLU", "b")
        model = report_on(filled(text), tmp_path)["model"]
        assert [(each["blob"], each["shape"], each["keras_shape"]) for each in model["inputs"]] == [
            ("data", [2, 3, 6, 8], [2, 6, 8, 3]), ("vector", [2, 7], [2, 7])
        ]  # fmt: skip
        assert [(each["blob"], each["shape"], each["keras_shape"], each["layout"]) for each in model["outputs"]] == [
            ("a", [2, 1, 6, 8], [2, 6, 8, 1], "last"),
            ("fc", [2, 5], [2, 5], "axes"),
            ("act", [2, 2, 6, 8], [2, 6, 8, 2], "last"),
        ]
        assert [(each["node"], each["output"]) for each in model["outputs"]] == [("parts", 0), ("fc", 0), ("act", 0)]
        nodes = {node["name"]: node for node in model["nodes"]}
        assert (nodes["parts"]["outputs"], nodes["act"]["inputs"]) == (2, [{"node": "parts", "output": 1}])

    def test_flattened_maps(self, tmp_path: Path) -> None:
        text = DATA + layer_text("flat", "Flatten", "data") + layer_text("fc", "InnerProduct", "flat", more=DENSE)
        report = report_on(filled(text), tmp_path)
        assert layer_of(report, "flat")["tops"] == [{
            "blob": "flat", "shape": [2, 144], "layout": "flat", "segments": [[3, 6, 8]], "keras_shape": [2, 144],
            "node": "flat", "output": 0,
        }]  # fmt: skip
        assert layer_of(report, "fc")["tops"][0]["layout"] == "axes"

    def test_sizes_and_ranks_that_are_not_known(self, tmp_path: Path) -> None:
        text = layer_text("d", "Data", tops="maps") + layer_text("conv", "Convolution", "maps", more=CONV)
        text += layer_text("relu", "ReLU", "loose")
        report = report_on(net_of(text, [("conv", [values(4, 3, 3, 3), values(4)])]), tmp_path)
        assert layer_of(report, "conv")["tops"][0]["shape"] == [None, 4, None, None]
        assert layer_of(report, "conv")["tops"][0]["keras_shape"] == [None, None, None, 4]
        relu = layer_of(report, "relu")
        assert relu["bottoms"] == [{"blob": "loose", "layer": None, "top": None}]
        assert (relu["tops"][0]["shape"], relu["tops"][0]["layout"], relu["tops"][0]["keras_shape"]) == (
            None, "unknown", None
        )  # fmt: skip
        assert [each["blob"] for each in report["model"]["inputs"]] == ["maps", "loose"]

    def test_a_loss_and_what_it_alone_reads(self, tmp_path: Path) -> None:
        text = DATA + input_text("label", 2) + layer_text("fc", "InnerProduct", "data", more=DENSE)
        text += layer_text("loss", "SoftmaxWithLoss", "fc label") + layer_text("quiet", "Silence", "label", "")
        report = report_on(filled(text), tmp_path)
        assert became(report) == {
            "data": "input", "label": "left_out", "fc": "layers", "loss": "left_out", "quiet": "left_out"
        }  # fmt: skip
        loss = layer_of(report, "loss")
        assert loss["reason"] == "a loss or a measure, which a model that only computes does without"
        assert loss["tops"] == [{"blob": "loss", "shape": [], **NOWHERE}]
        assert [layer_of(report, name)["reason"] for name in ("label", "quiet", "fc")] == [
            "nothing that the model gives is made of it", "nothing comes out of it", None
        ]  # fmt: skip
        assert [each["blob"] for each in report["model"]["inputs"]] == ["data"]
        assert [each["blob"] for each in report["model"]["outputs"]] == ["fc"]
        assert {node["name"]: node["used"] for node in report["model"]["nodes"]}["label"] is False

    def test_nothing_to_do_is_not_nothing_that_keras_has(self, tmp_path: Path) -> None:
        text = DATA + layer_text("drop", "DropoutChannel", "data") + layer_text("dropout", "Dropout", "drop")
        report = report_on(net_of(text + layer_text("odd", "Strange", "dropout")), tmp_path)
        assert became(report) == {"data": "input", "drop": "identity", "dropout": "layers", "odd": "unsupported"}
        assert layer_of(report, "drop")["tops"][0]["node"] == "data"
        assert (layer_of(report, "drop")["nodes"], layer_of(report, "drop")["reason"]) == ([], None)
        assert node_of(report, "dropout")["class_name"] == "Dropout"  # which does nothing where a model is not trained
        assert layer_of(report, "odd")["reason"] == node_of(report, "odd")["problem"] == "type Strange is not known"
        assert (node_of(report, "odd")["class_name"], node_of(report, "odd")["of_keras"]) == (None, False)

    def test_arrays_as_stored(self, tmp_path: Path) -> None:
        report = report_on(net_of(DATA + layer_text("odd", "Strange", "data"), [("odd", [values(3)])]), tmp_path)
        assert (node_of(report, "odd")["weights"], node_of(report, "odd")["stored_as"]) == (["weights_0"], "odd")
        assert report["layers"][0]["keras"] is None

    def test_a_fused_scale(self, tmp_path: Path) -> None:
        text = DATA + layer_text("bn", "BatchNorm", "data", "x") + layer_text("scale", "Scale", "x", "y")
        report = report_on(filled(text), tmp_path)
        assert (became(report)["bn"], became(report)["scale"]) == ("layers", "fused")
        assert layer_of(report, "scale")["reason"] == "worked into layer 1, bn"
        assert layer_of(report, "scale")["tops"][0]["node"] == "bn"
        # What Caffe has between the two is nowhere in Keras.
        assert layer_of(report, "bn")["tops"] == [{"blob": "x", "shape": [2, 3, 6, 8], **NOWHERE}]
        assert node_of(report, "bn")["origins"] == [1, 2]

    def test_a_folded_normalization(self, tmp_path: Path) -> None:
        text = DATA + layer_text("conv", "Convolution", "data", more=CONV) + layer_text("bn", "BatchNorm", "conv")
        text += layer_text("scale", "Scale", "bn", "y") + layer_text("relu", "ReLU", "y", "y")
        report = report_on(filled(text), tmp_path, Options(fold_batchnorm=True))
        assert mistakes(report) == []
        assert became(report) == {
            "data": "input", "conv": "layers", "bn": "fused", "scale": "fused", "relu": "layers"
        }  # fmt: skip
        assert [layer_of(report, name)["reason"] for name in ("bn", "scale")] == ["worked into layer 1, conv"] * 2
        assert [layer_of(report, name)["tops"][0]["node"] for name in ("conv", "bn", "scale")] == [None, None, "conv"]
        assert [layer["name"] for layer in report["layers"]] == ["conv"]
        assert {node["name"] for node in report["model"]["nodes"]} == {"data", "conv", "relu"}

    def test_images_with_their_channels_turned(self, tmp_path: Path) -> None:
        net = filled(DATA + layer_text("conv", "Convolution", "data", more=CONV))
        for turned in (False, True):
            assert report_on(net, tmp_path, Options(bgr_to_rgb=turned))["model"]["turned"] is turned

    def test_layers_that_share_their_parameters(self, tmp_path: Path) -> None:
        shared = CONV + ' param { name: "w" } param { name: "b" }'
        text = DATA + layer_text("a", "Convolution", "data", more=shared) + input_text("more", 2, 3, 6, 8)
        report = report_on(filled(text + layer_text("b", "Convolution", "more", more=shared)), tmp_path)
        assert [node_of(report, name)["calls"] for name in "ab"] == [None, "a"]
        assert [node_of(report, name)["stored_as"] for name in "ab"] == ["a", "b"]

    def test_names_are_those_of_the_written_model_and_of_the_file(self, tmp_path: Path) -> None:
        text = DATA + layer_text("/add", "Convolution", "data", "a", CONV)
        text += layer_text("add/", "Convolution", "data", "b", CONV) + layer_text("x y", "ReLU", "a", "r")
        report = report_on(filled(text), tmp_path)
        nodes = {node["name"]: node["stored_as"] for node in report["model"]["nodes"]}
        assert nodes == {"data": None, "add": "add", "add_": "add_2", "x_y": None}
        assert [layer["name"] for layer in report["layers"]] == ["add", "add_2"]
        assert [layer["caffe_layers"] for layer in report["layers"]] == [["/add"], ["add/"]]

    def test_what_is_not_in_the_model_takes_no_name_from_it(self, tmp_path: Path) -> None:
        text = input_text("a b", 2) + DATA + layer_text("a_b", "InnerProduct", "data", "fc", DENSE)
        report = report_on(
            filled(text + layer_text("loss", "SoftmaxWithLoss", more='bottom: "fc" bottom: "a b"')), tmp_path
        )
        assert [layer["nodes"][-1:] for layer in report["net"]["layers"][:3]] == [["a_b_2"], ["data"], ["a_b"]]

    def test_layers_that_share_a_name(self, tmp_path: Path) -> None:
        text = DATA + layer_text("x", "ReLU", "data", "a") + layer_text("x", "TanH", "a", "b")
        report = report_on(net_of(text), tmp_path)
        assert [(layer["type"], layer["nodes"]) for layer in report["net"]["layers"][1:]] == [
            ("ReLU", ["x"]), ("TanH", ["x_2"])
        ]  # fmt: skip

    def test_one_layer_called_twice(self, tmp_path: Path) -> None:
        text = DATA + input_text("more", 2, 3, 6, 8) + layer_text("conv", "Convolution", "data more", "a b", CONV)
        report = report_on(filled(text), tmp_path)
        first, second = layer_of(report, "conv")["nodes"]
        assert (node_of(report, first)["calls"], node_of(report, second)["calls"]) == (None, first)
        assert node_of(report, second)["weights"] == []

    def test_a_class_that_keras_does_not_have(self, tmp_path: Path) -> None:
        report = report_on(
            net_of(DATA + layer_text("act", "BNLL", "data") + layer_text("t", "Threshold", "act")), tmp_path
        )
        assert (node_of(report, "act")["of_keras"], node_of(report, "t")["of_keras"]) == (True, False)

    def test_the_fields_of_old_are_what_they_were(self, tmp_path: Path) -> None:
        net = filled(DATA + layer_text("fc", "InnerProduct", "data", more=DENSE))
        report = report_on(net, tmp_path)
        assert {"layers": report["layers"], "notes": report["notes"]} == describe_result(convert(net))
        (fc,) = report["layers"]
        assert [key for key in fc if key != "notes"] == [
            "name", "caffe_type", "caffe_layers", "before", "keras", "after", "weights"
        ]  # fmt: skip
        assert fc["before"] == [{"class_name": "Flatten", "arguments": {}}]


class TestStrictJson:
    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            pytest.param(math.nan, "NaN", id="nan"),
            pytest.param((math.inf, -math.inf), ["Infinity", "-Infinity"], id="infinite"),
            pytest.param({"a": (1, (2.5, None, True))}, {"a": [1, [2.5, None, True]]}, id="tuples"),
            pytest.param(np.float32("inf"), "Infinity", id="numpy"),
            pytest.param([np.int64(3), np.bool_(True)], [3, True], id="numpy-numbers"),
            pytest.param({"a\ud800": "b\udcff"}, {"a\\ud800": "b\\udcff"}, id="halves-of-surrogates"),
            pytest.param("größe ☃ 𝄞 \0 \" \\", "größe ☃ 𝄞 \0 \" \\", id="any-other-text"),
        ],
    )  # fmt: skip
    def test_values(self, value: object, expected: object) -> None:
        safe = json_safe(value)
        assert (safe, repr(safe)) == (expected, repr(expected))

    def test_words_are_what_python_reads(self) -> None:
        assert [float(json_safe(value)) for value in (math.inf, -math.inf)] == [math.inf, -math.inf]
        assert math.isnan(float(json_safe(math.nan)))

    def test_arguments_that_are_not_finite(self, tmp_path: Path) -> None:
        text = DATA + layer_text("relu", "ReLU", "data", more="relu_param { negative_slope: inf }")
        text += layer_text("power", "Power", "relu", more="power_param { scale: nan shift: -inf }")
        report = report_on(net_of(text), tmp_path)
        assert mistakes(report) == []
        said = [value for node in report["model"]["nodes"] for value in node["arguments"].values()]
        assert {"NaN", "Infinity", "-Infinity"} <= {value for value in said if isinstance(value, str)}

    def test_names_that_are_no_unicode(self, tmp_path: Path) -> None:
        net = filled(DATA + layer_text("conv", "Convolution", "data", more=CONV))
        odd = [dataclasses.replace(layer, name=f"{layer.name}\ud800", tops=("\udcff",)) for layer in net.layers]
        report = report_on(Net("net\udc80", tuple(odd)), tmp_path)
        assert mistakes(report) == []
        assert report["net"]["name"] == "net\\udc80"
        assert [layer["name"] for layer in report["net"]["layers"]] == ["data\\ud800", "conv\\ud800"]
        assert [layer["name"] for layer in report["layers"]] == ["conv_"]


class TestSchema:
    def test_is_one(self) -> None:
        jsonschema.Draft202012Validator.check_schema(SCHEMA)
        assert SCHEMA["properties"]["version"]["const"] == VERSION

    def test_tells_of_every_field_and_of_no_other(self) -> None:
        """So a new field fails every report until it is told of."""
        records = [part for part in parts(SCHEMA) if "properties" in part]
        assert len(records) > 10
        for record in records:
            assert record["additionalProperties"] is False, record["description"]
            assert record["required"] == list(record["properties"])
            assert all(field.get("description") or described(field) for field in record["properties"].values())

    def test_a_new_field_is_refused(self, tmp_path: Path) -> None:
        report = report_on(filled(DATA + layer_text("conv", "Convolution", "data", more=CONV)), tmp_path)
        assert mistakes(report) == []
        assert len(mistakes(report | {"more": 1})) == 1
        report["net"]["layers"][0]["tops"][0]["more"] = 1
        report["model"]["nodes"][0]["more"] = 1
        assert [mistake.partition(":")[0] for mistake in mistakes(report)] == [
            "$.net.layers[0].tops[0]", "$.model.nodes[0]"
        ]  # fmt: skip

    def test_words_are_those_of_the_graph(self) -> None:
        node, top = (SCHEMA["$defs"][name]["properties"] for name in ("node", "net_layer"))
        assert set(node["part"]["enum"]) == set(get_args(Part))
        assert set(top["tops"]["items"]["properties"]["layout"]["enum"]) == {*get_args(Layout), None}


def parts(schema: Any) -> Iterator[dict[str, Any]]:
    """All schemas in a schema."""
    if isinstance(schema, dict):
        yield schema
        for each in schema.values():
            yield from parts(each)
    elif isinstance(schema, list):
        for each in schema:
            yield from parts(each)


def described(field: dict[str, Any]) -> bool:
    return bool(SCHEMA["$defs"][field["$ref"].removeprefix("#/$defs/")]["description"])


FIXTURE_FOLDERS = sorted(path.parent for path in FIXTURES.glob("*/net.prototxt"))


@pytest.mark.parametrize("folder", FIXTURE_FOLDERS, ids=lambda folder: folder.name)
def test_every_fixture(folder: Path, tmp_path: Path) -> None:
    """By the schema, and what it says of inputs, outputs, names and layers holds in the model that is written."""
    inside = [path for path in (folder / "net.caffemodel",) if path.exists()]
    weights = inside[0] if inside else empty(tmp_path / "none.caffemodel")
    outcome = command.caffeconv(
        "-f", "py", tmp_path / "out", folder / "net.prototxt", weights, "--allow-missing", "all",
        "--report", tmp_path / "report.json",
    )  # fmt: skip
    assert outcome.status == 0, outcome.err
    report = strictly_read(tmp_path / "report.json")
    assert mistakes(report) == []
    assert_consistent(report, caffeconv.load_net(folder / "net.prototxt"))
    if not report["model"]["outputs"] or any(node["problem"] for node in report["model"]["nodes"] if node["used"]):
        return  # no model can be built
    pytest.importorskip("keras")
    model = imported(tmp_path / "out.py").build_model()
    assert model.name == report["model"]["name"]
    for tensors, said in ((model.inputs, report["model"]["inputs"]), (model.outputs, report["model"]["outputs"])):
        shapes = [(tuple(each["keras_shape"]) or (1,))[1:] for each in said]
        assert [tuple(tensor.shape)[1:] for tensor in tensors] == shapes
    assert [tensor.name for tensor in model.inputs] == [each["node"] for each in report["model"]["inputs"]]
    called = {node["name"] for node in report["model"]["nodes"] if node["used"] and node["calls"] is None}
    assert {layer.name for layer in model.layers} == called
    for node in report["model"]["nodes"]:
        if node["used"] and node["part"] != "input" and node["calls"] is None:
            assert type(model.get_layer(node["name"])).__name__ == node["class_name"]


def empty(path: Path) -> Path:
    """A file of weights without any."""
    path.write_bytes(b"\x0a\x01x")  # name: "x"
    return path


def assert_consistent(report: Report, net: Net) -> None:
    """What stands in two places is the same in both, and the net is that of the prototxt."""
    nodes = {node["name"]: node for node in report["model"]["nodes"]}
    assert len(nodes) == len(report["model"]["nodes"])
    stored = {layer["name"]: layer for layer in report["layers"]}
    for node in nodes.values():
        for edge in node["inputs"]:
            assert edge["output"] < nodes[edge["node"]]["outputs"]
        if node["stored_as"] is not None:
            weights = stored[node["stored_as"]]["weights"]
            assert [weight["name"] for weight in weights] == node["weights"]
    assert set(stored) == {node["stored_as"] for node in nodes.values()} - {None}
    layers = report["net"]["layers"]
    assert [(layer["name"], layer["type"]) for layer in layers] == [(layer.name, layer.type) for layer in net.layers]
    for layer, own in zip(layers, net.layers, strict=True):
        assert [top["blob"] for top in layer["tops"]] == list(own.tops)
        assert [each["blob"] for each in layer["bottoms"]] == list(own.bottoms)
        assert all(nodes[name]["origins"].count(layer["index"]) == 1 for name in layer["nodes"])
        for top, shape in zip(layer["tops"], own.top_shapes, strict=True):
            # Before it runs, Caffe has one row for what a DetectionOutput finds, however much that will be.
            assert shape is None or [a or b for a, b in zip(top["shape"], shape, strict=True)] == list(shape)
            assert top["node"] is None or top["output"] < nodes[top["node"]]["outputs"]


@needs_prototxts
@pytest.mark.parametrize("path", [path for path in PROTOTXTS if path.name not in REFUSED], ids=lambda path: path.name)
def test_every_public_prototxt(path: Path, tmp_path: Path) -> None:
    net = caffeconv.load_net(path)
    report = report_on(net, tmp_path)
    assert mistakes(report) == []
    assert_consistent(report, net)


@needs_models
@pytest.mark.parametrize("folder", MODELS, ids=lambda folder: folder.name)
def test_every_public_model(folder: Path, tmp_path: Path) -> None:
    net = caffeconv.load_net(folder / "deploy.prototxt", weights_of(folder), allow_missing=["all"])
    report = report_on(net, tmp_path)
    assert mistakes(report) == []
    assert_consistent(report, net)
