"""Models for RGB, folded or complete: they compute what real Caffe computed, and what the plain model computes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from caffeconv.keras.building import Options
from caffeconv.keras.conversion import convert, model_of
from caffeconv.keras.graph import Model, needed_nodes
from caffeconv.model import Array, Net
from caffeconv.writing.keras_archive import write_keras_archive
from tests.support.archives import loaded
from tests.support.net_builder import Weights, filled, input_text, layer_text, net_of
from tests.support.python_models import KERAS, broken_nodes, using, worst_error, written
from tests.support.random_values import arrays, image
from tests.writing.test_python_source import RUN, TOLERANCE, WITHOUT_OUTPUTS, Golden, fixture

RGB, FOLDED = Options(bgr_to_rgb=True), Options(fold_batchnorm=True)
ALL = Options(bgr_to_rgb=True, fold_batchnorm=True, complete_batchnorm=True)
WHOLE = [name for name in RUN if name not in WITHOUT_OUTPUTS and not broken_nodes(model_of(fixture(name), ALL))]


@pytest.fixture(params=KERAS)
def keras_name(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    using(monkeypatch, request.param)
    name: str = request.param
    return name


def images(model: Model) -> set[str]:
    """The inputs of a model that have three channels and pixels."""
    held = {model.nodes[value.edge.node].name: value.held.shape for value in model.inputs}
    return {name for name, shape in held.items() if shape is not None and len(shape) > 3 and shape[1] == 3}


def in_rgb(net: Net, model: Model, blobs: dict[str, Array]) -> dict[str, Array]:
    return {name: blob[:, ::-1] if name in images(model) else blob for name, blob in blobs.items()}


@pytest.mark.parametrize("name", WHOLE)
def test_a_rewritten_net_gives_what_caffe_gives(name: str, keras_name: str, tmp_path: Path) -> None:
    golden = Golden(name)
    net = fixture(name)
    made = written(net, tmp_path, options=ALL)
    got = made.run(in_rgb(net, made.model, golden.inputs()))
    assert got
    errors = {blob: worst_error(array, golden.of(blob)) for blob, array in got}
    assert {blob: error for blob, error in errors.items() if error > TOLERANCE} == {}


def convolution(name: str, bottom: str, outputs: int, more: str = "") -> str:
    return layer_text(
        name, "Convolution", bottom, more=f"convolution_param {{ num_output: {outputs} kernel_size: 2 {more} }}"
    )


DATA = input_text("data", 2, 3, 6, 7)
NETS = {
    "two-readers": DATA + convolution("a", "data", 4) + convolution("b", "data", 5),
    "cropped": DATA
    + input_text("small", 2, 1, 4, 4)
    + layer_text("cut", "Crop", "data small", more="crop_param { axis: 2 offset: 1 }")
    + convolution("a", "cut", 4),
    "channels-cut": DATA
    + layer_text("cut", "Slice", "data", "x y", more="slice_param { axis: 1 slice_point: 1 }")
    + convolution("a", "x", 4)
    + convolution("b", "y", 4),
    "put-side-by-side": DATA
    + input_text("more", 2, 2, 6, 7)
    + layer_text("both", "Concat", "data more")
    + convolution("a", "both", 4),
    "two-images-added": DATA
    + input_text("other", 2, 3, 6, 7)
    + layer_text("sum", "Eltwise", "data other")
    + convolution("a", "sum", 4),
    "image-with-features-added": DATA
    + layer_text("made", "Convolution", "data", more="convolution_param { num_output: 3 kernel_size: 1 }")
    + layer_text("sum", "Eltwise", "data made")
    + convolution("a", "sum", 4),
    "flattened": DATA + layer_text("a", "InnerProduct", "data", more="inner_product_param { num_output: 4 }"),
    "permuted": DATA
    + layer_text("turned", "Permute", "data", more="permute_param { order: 0 order: 2 order: 3 order: 1 }")
    + convolution("a", "turned", 4),
    "channel-by-channel": DATA
    + layer_text("lrn", "LRN", "data")
    + layer_text("mean", "MVN", "lrn")
    + layer_text("pool", "Pooling", "mean", more="pooling_param { pool: AVE kernel_size: 2 pad: 1 }")
    + layer_text("power", "Power", "pool", more="power_param { scale: 2 shift: 1 }")
    + layer_text("scale", "Scale", "power", more="scale_param { bias_term: true }")
    + layer_text("slopes", "PReLU", "scale")
    + convolution("a", "slopes", 3, "group: 3")
    + convolution("b", "a", 6, "group: 3")
    + convolution("c", "b", 4),
    "softmax-of-an-image": DATA + layer_text("soft", "Softmax", "data") + convolution("a", "soft", 4),
    "transposed": DATA
    + layer_text("up", "Deconvolution", "data", more="convolution_param { num_output: 4 kernel_size: 3 stride: 2 }"),
    "nothing-mixed": DATA + layer_text("pool", "Pooling", "data", more="pooling_param { kernel_size: 2 }"),
    "nobody-makes-it": convolution("a", "somewhere", 4),
    "a-name-that-repeats": DATA + convolution("a", "data", 4) + layer_text("a", "ReLU", "a", "b") + layer_text(
        "n", "BatchNorm", "b"
    ),
}  # fmt: skip


def made_of(name: str) -> Net:
    text = NETS[name]
    if name == "nobody-makes-it":
        return net_of(text, [("a", arrays((4, 3, 2, 2), (4,)))], input_shapes={"somewhere": (2, 3, 5, 5)})
    net = filled(text)
    weights: Weights = [(each.name, arrays(*[blob.shape for blob in each.blobs])) for each in net.layers if each.blobs]
    return net_of(text, weights)


def fed(model: Model) -> dict[str, Array]:
    """Made-up blobs for the inputs."""
    shapes = {model.nodes[value.edge.node].name: value.held.shape for value in model.inputs}
    return {name: image(*(size or 5 for size in shape or ())) for name, shape in shapes.items()}


@pytest.mark.parametrize("name", NETS)
def test_a_model_for_rgb_gives_the_same_for_an_image_turned_round(name: str, keras_name: str, tmp_path: Path) -> None:
    net = made_of(name)
    plain, turned = written(net, tmp_path / "bgr"), written(net, tmp_path / "rgb", options=RGB)
    blobs = fed(plain.model)
    assert images(turned.model)
    got = dict(turned.run(in_rgb(net, turned.model, blobs)))
    for blob, expected in plain.run(blobs):
        assert worst_error(got[blob], expected) <= TOLERANCE
    backwards = dict(turned.run(blobs))
    assert any(worst_error(backwards[blob], expected) > TOLERANCE for blob, expected in plain.run(blobs))


@pytest.mark.parametrize("name", NETS)
def test_so_does_an_archive(name: str, tmp_path: Path) -> None:
    net = made_of(name)
    blobs = fed(model_of(net, RGB))
    got = []
    for options in (Options(), RGB):
        model, path = model_of(net, options), tmp_path / f"{options.bgr_to_rgb}.keras"
        write_keras_archive(path, net, model)
        given = in_rgb(net, model, blobs) if options.bgr_to_rgb else blobs
        needed = [model.nodes[number].name for number in needed_nodes(model)]
        inputs = [np.moveaxis(blob, 1, -1) for each, blob in given.items() if each in needed]
        tensors: Any = loaded(path)(inputs if len(inputs) > 1 else inputs[0], training=False)
        got.append([np.asarray(each) for each in (tensors if isinstance(tensors, list | tuple) else [tensors])])
    for plain, turned in zip(*got, strict=True):
        assert worst_error(turned, plain) <= TOLERANCE


def warnings_of(name: str) -> set[str]:
    notes = convert(made_of(name), bgr_to_rgb=True).notes
    return {note.layer or "" for note in notes if note.level == "warning" and "BGR to RGB" in note.text}


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("two-readers", set()), ("cropped", set()), ("channel-by-channel", {"b"}), ("two-images-added", set()),
        ("softmax-of-an-image", {"soft"}), ("channels-cut", {"cut"}), ("put-side-by-side", {"both"}),
        ("image-with-features-added", {"sum"}), ("flattened", {"a"}), ("permuted", {"a"}),
    ],
)  # fmt: skip
def test_what_a_file_of_weights_cannot_turn_is_named(name: str, named: set[str]) -> None:
    assert warnings_of(name) == named


SHARED = layer_text("w", "Convolution", "data other", "x y", more="convolution_param { num_output: 4 kernel_size: 2 }")


def test_a_layer_that_is_called_twice_is_turned_once(keras_name: str, tmp_path: Path) -> None:
    for other, sizes in (("image", (2, 3, 6, 7)), ("features", (2, 3, 5, 6))):
        text = DATA + input_text("other", *sizes)
        if other == "features":
            text = DATA + convolution("other", "data", 3)
        net = filled(text + SHARED)
        weights: Weights = [(each.name, arrays(*[b.shape for b in each.blobs])) for each in net.layers if each.blobs]
        net = net_of(text + SHARED, weights)
        plain, turned = written(net, tmp_path / other), written(net, tmp_path / f"{other}_rgb", options=RGB)
        blobs = fed(plain.model)
        got = dict(turned.run(in_rgb(net, turned.model, blobs)))
        for blob, expected in plain.run(blobs):
            assert worst_error(got[blob], expected) <= TOLERANCE


NORMS = layer_text("n", "BatchNorm", "x") + layer_text("m", "BatchNorm", "y")


def test_what_is_called_twice_is_not_folded(keras_name: str, tmp_path: Path) -> None:
    text = DATA + input_text("other", 2, 3, 6, 7) + SHARED + NORMS
    net = net_of(
        text, [("w", arrays((4, 3, 2, 2), (4,))), *((n, [*arrays((4,), (4,)), np.ones(1, "f4")]) for n in "nm")]
    )
    folded = written(net, tmp_path / "folded", options=FOLDED)
    assert [node.name for node in folded.model.nodes if node.weights] == ["w", "n", "m"]
    plain = written(net, tmp_path / "plain")
    blobs = fed(plain.model)
    got = dict(folded.run(blobs))
    for blob, expected in plain.run(blobs):
        assert worst_error(got[blob], expected) <= TOLERANCE
