"""Layers of small nets in real Keras, as the graph puts them together, against plain NumPy in Caffe's order of axes."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest

from caffeconv.keras.assembling import assembled
from caffeconv.keras.building import Options
from caffeconv.model import Array
from tests.support.described_models import assert_close
from tests.support.graph_runs import blobs, computed
from tests.support.net_builder import filled, input_text, layer_text, net_of, values

X = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype("f4")
V = np.random.default_rng(1).normal(size=(2, 60)).astype("f4")
STEPS = np.random.default_rng(2).normal(size=(2, 6, 5)).astype("f4")
ROWS = X.reshape(2, 60)
GIVEN = {"x": X, "w": V, "s": STEPS, "idx": np.array([1, 0, 1], "f4")}

MAPS, VECTORS, SEQUENCE = (input_text(name, *GIVEN[name].shape) for name in "xws")
FLAT = layer_text("f", "Flatten", "x")


def softmax(x: Array, axis: int) -> Array:
    exponentials = np.exp(x)
    result: Array = exponentials / exponentials.sum(axis, keepdims=True)
    return result


# The arrays of a layer count from 1 on, those of its second blob from 1001 on.
LAYERS = [
    pytest.param(
        MAPS + FLAT + layer_text("o", "ArgMax", "f"),
        ROWS.argmax(1).reshape(2, 1, 1),
        id="argmax-flat",
    ),
    pytest.param(
        MAPS + FLAT + layer_text("o", "ArgMax", "f", more="argmax_param { axis: 1 top_k: 3 }"),
        np.argsort(-ROWS, 1)[:, :3],
        id="argmax-flat-axis",
    ),
    pytest.param(
        MAPS + FLAT + layer_text("o", "Reduction", "f", more="reduction_param { axis: 1 operation: SUMSQ coeff: 2}"),
        (ROWS**2).sum(1) * 2,
        id="reduction-flat",
    ),
    pytest.param(
        MAPS + layer_text("o", "Reduction", "x", more="reduction_param { axis: 2 }"),
        X.sum((2, 3)),
        id="reduction-maps",
    ),
    pytest.param(
        MAPS + layer_text("o", "Softmax", "x", more="softmax_param { axis: 2 }"),
        softmax(X, 2),
        id="softmax-axis2",
    ),
    pytest.param(
        MAPS + layer_text("o", "Softmax", "x", more="softmax_param { axis: -1 }"),
        softmax(X, 3),
        id="softmax--1",
    ),
    pytest.param(
        VECTORS + MAPS + FLAT + layer_text("o", "Eltwise", "f w", more="eltwise_param { coeff: 2 coeff: -1 }"),
        2 * ROWS - V,
        id="eltwise-coeff",
    ),
    pytest.param(
        VECTORS + MAPS + FLAT + layer_text("o", "Eltwise", "f w", more="eltwise_param { coeff: 1 coeff: -1 }"),
        ROWS - V,
        id="eltwise-sub",
    ),
    pytest.param(
        VECTORS + MAPS + FLAT + layer_text("o", "Eltwise", "w f w", more="eltwise_param { operation: MAX }"),
        np.maximum(ROWS, V),
        id="eltwise-max",
    ),
    pytest.param(
        MAPS + layer_text("o", "Eltwise", "x x", more="eltwise_param { coeff: 3 coeff: 1 }"),
        4 * X,
        id="eltwise-1-coeff",
    ),
    pytest.param(
        MAPS + layer_text("o", "MVN", "x", more="mvn_param { normalize_variance: false }"),
        X - X.mean((2, 3), keepdims=True),
        id="mvn",
    ),
    pytest.param(
        MAPS + layer_text("o", "MVN", "x", more="mvn_param { normalize_variance: false across_channels: true }"),
        X - X.mean((1, 2, 3), keepdims=True),
        id="mvn-across",
    ),
    pytest.param(
        SEQUENCE + layer_text("c", "Slice", "s", "a o", more="slice_param { axis: 1 slice_point: 2 }"),
        STEPS[:, :2],
        id="slice-seq",
    ),
    pytest.param(
        SEQUENCE + layer_text("o", "Concat", "s s", more="concat_param { axis: 2 }"),
        np.concatenate([STEPS, STEPS], 2),
        id="concat-seq-and-maps3",
    ),
    pytest.param(
        MAPS + FLAT + layer_text("o", "Tile", "f", more="tile_param { tiles: 3 }"),
        np.tile(ROWS, (1, 3)),
        id="tile-flat",
    ),
    pytest.param(
        MAPS + FLAT + layer_text("o", "Tile", "f", more="tile_param { axis: 0 tiles: 3 }"),
        np.tile(ROWS, (3, 1)),
        id="tile-flat-0",
    ),
    pytest.param(
        MAPS + layer_text("o", "Tile", "x", more="tile_param { axis: 1 tiles: 2 }"),
        np.tile(X, (1, 2, 1, 1)),
        id="tile-maps-1",
    ),
    pytest.param(
        MAPS + layer_text("o", "Reshape", "x", more="reshape_param { shape { dim: -1 dim: 5 } }"),
        X.reshape(-1, 5),
        id="reshape-batch",
    ),
    pytest.param(
        MAPS
        + layer_text("o", "Reshape", "x", more="reshape_param { shape { dim: 0 dim: 3 dim: 2 dim: 2 dim: 5 dim: 1 } }"),
        X.reshape(2, 3, 2, 2, 5, 1),
        id="reshape-6d",
    ),
    pytest.param(
        MAPS + FLAT + layer_text("o", "Reshape", "f", more="reshape_param { shape { dim: 0 dim: 12 dim: 5 } }"),
        X.reshape(2, 12, 5),
        id="flat-then-reshape3",
    ),
    pytest.param(
        MAPS + layer_text("o", "Flatten", "x", more="flatten_param { axis: 1 end_axis: 2 }"),
        X.reshape(2, 12, 5),
        id="flat-2-axis",
    ),
    pytest.param(
        MAPS + layer_text("o", "Flatten", "x", more="flatten_param { axis: 0 }"),
        X.reshape(-1),
        id="flat-0",
    ),
    pytest.param(
        MAPS + layer_text("o", "Permute", "x", more="permute_param { order: 2 order: 3 order: 1 order: 0 }"),
        X.transpose(2, 3, 1, 0),
        id="permute-nchw-to-hwcn",
    ),
    pytest.param(
        SEQUENCE + layer_text("o", "Permute", "s", more="permute_param { order: 0 order: 2 order: 1 }"),
        STEPS.transpose(0, 2, 1),
        id="permute-3",
    ),
    pytest.param(
        MAPS
        + layer_text("p", "Permute", "x", more="permute_param { order: 0 order: 2 order: 3 order: 1 }")
        + layer_text("o", "Flatten", "p"),
        X.transpose(0, 2, 3, 1).reshape(2, 60),
        id="permute-then-flat",
    ),
    pytest.param(
        MAPS
        + layer_text("p", "Permute", "x", more="permute_param { order: 0 order: 2 order: 3 order: 1 }")
        + layer_text("o", "Reshape", "p", more="reshape_param { shape { dim: 0 dim: -1 dim: 3 } }"),
        X.transpose(0, 2, 3, 1).reshape(2, 20, 3),
        id="permute-then-reshape",
    ),
    pytest.param(
        MAPS
        + layer_text("p", "Permute", "x", more="permute_param { order: 0 order: 2 order: 3 order: 1 }")
        + layer_text("o", "Pooling", "p", more="pooling_param { global_pooling: true }"),
        X.transpose(0, 2, 3, 1).max((2, 3), keepdims=True),
        id="permute-then-pool",
    ),
    pytest.param(
        MAPS
        + layer_text("p", "Permute", "x", more="permute_param { order: 0 order: 1 order: 3 order: 2 }")
        + layer_text("o", "Concat", "p p", more="concat_param { axis: 2 }"),
        np.concatenate([X.swapaxes(2, 3)] * 2, 2),
        id="relu-of-permute-concat",
    ),
    pytest.param(
        MAPS
        + layer_text("p", "Reshape", "x", more="reshape_param { shape { dim: 0 dim: 4 dim: 3 dim: 5 } }")
        + layer_text("q", "Reshape", "p", more="reshape_param { shape { dim: 0 dim: 3 dim: 4 dim: 5 } }")
        + layer_text("o", "Concat", "q x"),
        np.concatenate([X, X], 1),
        id="concat-maps-and-axes4",
    ),
    pytest.param(
        MAPS + layer_text("o", "Scale", "x", more="scale_param { axis: 2 num_axes: 2 }"),
        X * values(4, 5),
        id="scale-axis2",
    ),
    pytest.param(
        MAPS + layer_text("o", "Scale", "x", more="scale_param { axis: 1 num_axes: 2 }"),
        X * values(3, 4, 1),
        id="scale-axis12",
    ),
    pytest.param(
        MAPS + FLAT + layer_text("o", "Scale", "f"),
        ROWS * values(60),
        id="scale-flat",
    ),
    pytest.param(
        SEQUENCE + layer_text("o", "Scale", "s"),
        STEPS * values(6, 1),
        id="scale-seq",
    ),
    pytest.param(
        SEQUENCE + layer_text("o", "Scale", "s", more="scale_param { axis: 2 }"),
        STEPS * values(5),
        id="scale-seq2",
    ),
    pytest.param(
        SEQUENCE + layer_text("o", "Scale", "s", more="scale_param { axis: 1 num_axes: 2 }"),
        STEPS * values(6, 5),
        id="scale-seq12",
    ),
    pytest.param(
        MAPS
        + layer_text("p", "Permute", "x", more="permute_param { order: 0 order: 2 order: 3 order: 1 }")
        + layer_text("o", "Bias", "p"),
        X.transpose(0, 2, 3, 1) + values(4, 1, 1),
        id="bias-permuted",
    ),
    pytest.param(
        MAPS + FLAT + VECTORS + layer_text("o", "Scale", "f w", more="scale_param { axis: 0 }"),
        ROWS * V,
        id="scale-flat-by-flat",
    ),
    pytest.param(
        MAPS + layer_text("o", "LRN", "x", more="lrn_param { local_size: 3 alpha: 0.5 beta: 1 }"),
        X / (1 + 0.5 / 3 * np.stack([(X[:, max(c - 1, 0) : c + 2] ** 2).sum(1) for c in range(3)], 1)),
        id="lrn1",
    ),
    pytest.param(
        MAPS + layer_text("o", "InnerProduct", "x", more="inner_product_param { axis: 2 num_output: 2 }"),
        X.reshape(2, 3, 20) @ values(2, 20).T + values(2, start=1001),
        id="ip-axis2",
    ),
    pytest.param(
        MAPS
        + layer_text("i", "InnerProduct", "x", more="inner_product_param { axis: -1 num_output: 2 }")
        + layer_text("o", "Flatten", "i"),
        (X @ values(2, 5).T + values(2, start=1001)).reshape(2, 24),
        id="ip-axis-1-then-relu-and-slice",
    ),
    pytest.param(
        MAPS
        + input_text("k", 2, 2, 3, 2)
        + layer_text("o", "Crop", "x k", more="crop_param { axis: 1 offset: 1 offset: 0 offset: 2 }"),
        X[:, 1:3, 0:3, 2:4],
        id="crop",
    ),
    pytest.param(
        MAPS + input_text("k", 2, 3, 4, 2) + layer_text("o", "Crop", "x k", more="crop_param { axis: 3 offset: 2 }"),
        X[:, :, :, 2:4],
        id="crop-axis3",
    ),
    pytest.param(
        MAPS + input_text("idx", 3) + layer_text("o", "BatchReindex", "x idx"),
        X[[1, 0, 1]],
        id="batchreindex",
    ),
    pytest.param(
        MAPS + layer_text("o", "Reverse", "x", more="reverse_param { axis: 1 }"),
        X[:, ::-1],
        id="reverse1",
    ),
    pytest.param(
        SEQUENCE + layer_text("o", "ShuffleChannel", "s", more="shuffle_channel_param { group: 2 }"),
        STEPS.reshape(2, 2, 3, 5).swapaxes(1, 2).reshape(2, 6, 5),
        id="shuffle-seq",
    ),
    pytest.param(
        MAPS + layer_text("o", "Im2col", "x", more="convolution_param { kernel_size: 2 }"),
        np.stack([X[:, c, i : i + 3, j : j + 4] for c in range(3) for i in range(2) for j in range(2)], 1),
        id="im2col",
    ),
    pytest.param(
        MAPS + layer_text("o", "Power", "x", more="power_param { power: 2 scale: -1 shift: 0.5 }"),
        (0.5 - X) ** 2,
        id="power--2",
    ),
    pytest.param(
        MAPS + layer_text("o", "ELU", "x", more="elu_param { alpha: 0.3 }"),
        np.where(X > 0, X, 0.3 * (np.exp(X) - 1)),
        id="elu",
    ),
    pytest.param(
        MAPS + layer_text("o", "Exp", "x", more="exp_param { base: 2 scale: 0.5 shift: 1 }"),
        2 ** (0.5 * X + 1),
        id="exp2",
    ),
    pytest.param(
        MAPS + layer_text("o", "Threshold", "x", more="threshold_param { threshold: 0.2 }"),
        (X > 0.2) * 1.0,
        id="threshold",
    ),
]


@pytest.mark.parametrize(("text", "expected"), LAYERS)
def test_computes_its_definition(keras: ModuleType, text: str, expected: Array) -> None:
    net = filled(text)
    model = assembled(net, Options())
    made = blobs(model, computed(keras, model, GIVEN))
    assert_close(made[len(net.layers) - 1, 0], np.asarray(expected, float))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param(MAPS + layer_text("o", "Filter", "x x"), "how many items it lets through depends", id="filter"),
        pytest.param(MAPS + layer_text("o", "Strange", "x"), "type Strange is not known", id="unknown-type"),
    ],
)  # fmt: skip
def test_says_what_keras_cannot_compute(text: str, problem: str) -> None:
    """A node that says why, in its place in the graph."""
    net = filled(text)
    model = assembled(net, Options())
    (said,) = (node.problem for node in model.nodes if node.problem is not None)
    assert said.startswith(problem)
    assert model.nodes[-1].problem == said
    assert [edge.node for edge in model.nodes[-1].inputs] == [0] * len(net.layers[-1].bottoms)


def test_a_layer_without_blobs_around_it_keeps_its_arrays() -> None:
    """As in a caffemodel of which only names and arrays were kept."""
    net = net_of('layer { name: "fc" type: "InnerProduct" }', [("fc", [values(4, 9), values(4)])], as_stored=True)
    model = assembled(net, Options())
    (node,) = (node for node in model.nodes if node.weights)
    assert [weight.array.shape for weight in node.weights] == [(9, 4), (4,)]
    assert model.outputs == ()


@pytest.mark.parametrize("sizes", [[3, 3, 1, 2, 2], [3, 3, 1, 3, 2], [3, 3, 1, 2], [3, 3, 3, 3, 3]], ids=str)
def test_what_cannot_be_fused_stands_apart_and_nothing_is_lost(sizes: list[int]) -> None:
    """A BatchNorm with a scale of its own, as forks have it, of another size, or in no known form."""
    text = (
        input_text("data", 2, 3, 4, 4)
        + layer_text("norm", "BatchNorm", "data")
        + layer_text("scale", "Scale", "norm", more="scale_param { bias_term: true }")
    )
    net = net_of(text, [("norm", [np.ones(size, "f4") for size in sizes]), ("scale", [values(3), values(3)])])
    model = assembled(net, Options())
    norm, scale = (node for node in model.nodes if node.weights)
    assert (norm.name, len(norm.weights), norm.problem is None) == ("norm", len(sizes), False)
    assert (scale.name, scale.origins) == ("scale", (2,))
    np.testing.assert_array_equal(scale.weights[0].array, values(3))
    assert any(note.layer == "norm" and note.level == "warning" for note in model.notes)
