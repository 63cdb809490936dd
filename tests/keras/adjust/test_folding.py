"""BatchNorms folded into the layers before them, or completed: in real Keras, against real Caffe and plain formulas."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from caffeconv.keras.conversion import convert
from tests.support import naive_layers as naive
from tests.support.caffe_runs import Run
from tests.support.described_models import Layers, assert_close, chain, converted, small_net
from tests.support.flattened_maps import channels_last as last
from tests.support.places import FIXTURES
from tests.support.random_values import arrays, image
from tests.support.whole_nets import depthwise_net, first_and_last, residual_block

EPSILON = 1e-5
NORM = """layer { name: "bn" type: "BatchNorm" bottom: "it" top: "bn" }
layer { name: "scale" type: "Scale" bottom: "bn" top: "scale" scale_param { bias_term: true } }
"""


@pytest.mark.parametrize("net", [residual_block, depthwise_net])
def test_a_folded_net_computes_what_caffe_computes(tmp_path: Path, keras: Any, net: Any) -> None:
    model = net(keras, folded=True)
    layers = converted(FIXTURES / net.__name__, tmp_path, fold_batchnorm=True)
    assert {layer.name for layer in layers.result.layers} == {layer.name for layer in model.layers if layer.weights}
    x, expected = first_and_last(net.__name__)
    assert_close(layers.load_into(model)(x), expected)


FOLDED = [
    pytest.param("Convolution", "num_output: 6 kernel_size: 2 group: 2", [(6, 2, 2, 2), (6,)],
                 lambda x, w, b: naive.convolution(x, w, b, (1, 1), (0, 0), (1, 1), 2), id="grouped"),
    pytest.param("Convolution", "num_output: 8 kernel_size: 2 group: 4 bias_term: false", [(8, 1, 2, 2)],
                 lambda x, w: naive.convolution(x, w, None, (1, 1), (0, 0), (1, 1), 4), id="depthwise-multiplier"),
    pytest.param("Convolution", "num_output: 3 kernel_size: 2 stride: 2 dilation: 2 pad: 1", [(3, 4, 2, 2), (3,)],
                 lambda x, w, b: naive.convolution(x, w, b, (2, 2), (1, 1), (2, 2)), id="strided-behind"),
    pytest.param("Deconvolution", "num_output: 6 kernel_size: 3 stride: 2 pad: 1 group: 2", [(4, 3, 3, 3), (6,)],
                 lambda x, w, b: naive.deconvolution(x, w, b, (2, 2), (1, 1), (1, 1), 2), id="transposed-grouped"),
    pytest.param("InnerProduct", "num_output: 5", [(5, 80), (5,)],
                 lambda x, w, b: x.reshape(len(x), -1) @ w.T + b, id="inner-product"),
    pytest.param("InnerProduct", "num_output: 5 transpose: true bias_term: false", [(80, 5)],
                 lambda x, w: x.reshape(len(x), -1) @ w, id="inner-product-transposed"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "param", "shapes", "formula"), FOLDED)
def test_folding_changes_no_output(
    tmp_path: Path, keras: Any, kind: str, param: str, shapes: Sequence[tuple[int, ...]], formula: Any
) -> None:
    message = "inner_product_param" if kind == "InnerProduct" else "convolution_param"
    text = f'layer {{ name: "it" type: "{kind}" bottom: "data" top: "it" {message} {{ {param} }} }}\n{NORM}'
    x = image(2, 4, 4, 5)
    weights = arrays(*shapes)
    y = formula(x, *weights)
    mean, variance, gamma, beta = arrays(*[(y.shape[1],)] * 4)
    blobs = {"it": weights, "bn": [mean * 3, variance * 3, np.array([3], "f4")], "scale": [gamma, beta]}
    layers = Layers(convert(small_net(tmp_path, x.shape, text, blobs), fold_batchnorm=True), tmp_path)
    assert [layer.name for layer in layers.result.layers] == ["it"]
    assert layers.result.layers[0].origins == ("it", "bn", "scale")
    model = layers.load_into(chain(keras, layers.of["it"], last(x).shape[1:]))
    assert_close(model(last(x)), last(naive.normalization(y, mean, variance, gamma, beta, EPSILON)))


CONVOLUTION = 'layer { name: "it" type: "Convolution" bottom: "data" top: "it" convolution_param { %s } }\n'
ALONE = "num_output: 3 kernel_size: 1"
RELU = 'layer { name: "relu" type: "ReLU" bottom: "it" top: "%s" }\n'
KEPT = [
    pytest.param(CONVOLUTION % ALONE + NORM + RELU % "other", id="two-readers"),
    pytest.param(CONVOLUTION % ALONE + RELU % "it" + NORM, id="layer-between"),
    pytest.param(CONVOLUTION % f"{ALONE} relu: true" + NORM, id="rectifier-between"),
    pytest.param(CONVOLUTION % f"{ALONE} axis: 2" + NORM, id="other-axis"),
]


@pytest.mark.parametrize("text", KEPT)
def test_what_is_not_folded(tmp_path: Path, text: str) -> None:
    blobs = {"it": arrays((3, 3, 1, 1), (3,)), "bn": arrays((3,), (3,), (1,)), "scale": arrays((3,), (3,))}
    if "axis: 2" in text:
        blobs["it"][0] = blobs["it"][0][..., 0]
    result = convert(small_net(tmp_path, (2, 3, 3, 3), text, blobs), fold_batchnorm=True)
    assert [layer.name for layer in result.layers] == ["it", "bn"]


def test_a_scale_behind_what_was_folded_is_folded_too(tmp_path: Path, keras: Any) -> None:
    more = 'layer { name: "more" type: "Scale" bottom: "scale" top: "more" }'
    blobs = {"it": arrays((3, 3, 1, 1), (3,)), "bn": arrays((3,), (3,), (1,)), "scale": arrays((3,), (3,))}
    blobs["more"] = arrays((3,))
    net = small_net(tmp_path, (2, 3, 3, 3), CONVOLUTION % ALONE + NORM + more, blobs)
    layers = Layers(convert(net, fold_batchnorm=True), tmp_path)
    assert [layer.origins for layer in layers.result.layers] == [("it", "bn", "scale", "more")]
    x = image(2, 3, 3, 3)
    (weight, bias), (mean, variance, factor), (gamma, beta) = blobs["it"], blobs["bn"], blobs["scale"]
    y = naive.convolution(x, weight, bias, (1, 1), (0, 0), (1, 1))
    y = naive.normalization(y, mean / factor, variance / factor, gamma, beta, EPSILON)
    model = layers.load_into(chain(keras, layers.of["it"], (3, 3, 3)))
    assert_close(model(last(x)), last(y * blobs["more"][0].reshape(3, 1, 1)))


# ---- completing ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "last_name"), [("alone", "alone"), ("factor_1", "scale_without_bias"), ("factor_0", "factor_0")]
)
def test_a_plain_batch_normalization_takes_a_complete_one(
    tmp_path: Path, keras: Any, name: str, last_name: str
) -> None:
    layers = converted(FIXTURES / "batch_norm", tmp_path, complete_batchnorm=True)
    (described,) = layers.of[name]
    assert set(described["keras"]["arguments"]) == {"epsilon"}
    assert [weight["name"] for weight in described["weights"]] == ["gamma", "beta", "moving_mean", "moving_variance"]
    run = Run("batch_norm", name, last_name)
    model = layers.load_into(chain(keras, [described], last(run.bottoms[0]).shape[1:]))
    assert_close(model(last(run.bottoms[0])), last(run.tops[0]))
