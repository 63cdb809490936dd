"""RGB for BGR, and BatchNorms folded or complete: in real Keras, against real Caffe and plain formulas."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from caffeconv.keras.conversion import convert
from caffeconv.model import Array, Note
from tests.support import naive_layers as naive
from tests.support.caffe_runs import Run
from tests.support.described_models import KERAS, Layers, assert_close, chain, converted, small_net
from tests.support.places import FIXTURES
from tests.support.whole_nets import depthwise_net, first_and_last, residual_block

EPSILON = 1e-5
NORM = """layer { name: "bn" type: "BatchNorm" bottom: "it" top: "bn" }
layer { name: "scale" type: "Scale" bottom: "bn" top: "scale" scale_param { bias_term: true } }
"""


@pytest.fixture(params=KERAS)
def keras(request: pytest.FixtureRequest) -> Any:
    return pytest.importorskip(request.param)


def arrays(*shapes: tuple[int, ...]) -> list[Array]:
    random = np.random.default_rng(sum(map(sum, shapes)))
    return [random.uniform(0.2, 1.5, shape).astype("f4") for shape in shapes]


def image(*shape: int) -> Array:
    return np.random.default_rng(2).normal(size=shape).astype("f4")


def last(array: Array) -> Array:
    return np.moveaxis(array, 1, -1)


# ---- folding --------------------------------------------------------------------------------------------------------


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
    y = naive.convolution(x, *blobs["it"], (1, 1), (0, 0), (1, 1))
    mean, variance, factor = blobs["bn"]
    y = naive.normalization(y, mean / factor, variance / factor, *blobs["scale"], EPSILON)
    model = layers.load_into(chain(keras, layers.of["it"], (3, 3, 3)))
    assert_close(model(last(x)), last(y * blobs["more"][0].reshape(3, 1, 1)))


# ---- completing -----------------------------------------------------------------------------------------------------


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


# ---- colours --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("net", [residual_block, depthwise_net])
def test_a_net_for_rgb_gives_what_caffe_gives_for_bgr(tmp_path: Path, keras: Any, net: Any) -> None:
    layers = converted(FIXTURES / net.__name__, tmp_path, bgr_to_rgb=True)
    x, expected = first_and_last(net.__name__)
    assert_close(layers.load_into(net(keras))(x[..., ::-1]), expected)


def test_what_works_channel_by_channel_is_turned_on_the_way(tmp_path: Path, keras: Any) -> None:
    text = """
        layer { name: "bn" type: "BatchNorm" bottom: "data" top: "data" }
        layer { name: "scale" type: "Scale" bottom: "data" top: "data" scale_param { bias_term: true } }
        layer { name: "relu" type: "ReLU" bottom: "data" top: "data" }
        layer { name: "dw" type: "Convolution" bottom: "data" top: "dw"
                convolution_param { num_output: 3 kernel_size: 2 group: 3 } }
        layer { name: "prelu" type: "PReLU" bottom: "dw" top: "dw" }
        layer { name: "up" type: "Deconvolution" bottom: "dw" top: "up"
                convolution_param { num_output: 2 kernel_size: 2 stride: 2 } }
        layer { name: "behind" type: "Convolution" bottom: "up" top: "behind"
                convolution_param { num_output: 2 kernel_size: 1 } }
    """
    mean, variance, gamma, beta, slope = arrays(*[(3,)] * 5)
    slope -= 2
    blobs = {
        "bn": [mean, variance, np.ones(1, "f4")], "scale": [gamma, beta], "dw": arrays((3, 1, 2, 2), (3,)),
        "prelu": [slope], "up": arrays((3, 2, 2, 2), (2,)), "behind": arrays((2, 2, 1, 1), (2,)),
    }  # fmt: skip
    net = small_net(tmp_path, (2, 3, 4, 5), text, blobs)
    layers = Layers(convert(net, bgr_to_rgb=True), tmp_path)
    x = image(2, 3, 4, 5)
    y = np.maximum(naive.normalization(x, mean, variance, gamma, beta, EPSILON), 0)
    y = naive.convolution(y, *blobs["dw"], (1, 1), (0, 0), (1, 1), 3)
    y = np.maximum(y, 0) + slope.reshape(3, 1, 1) * np.minimum(y, 0)
    y = naive.deconvolution(y, *blobs["up"], (2, 2), (0, 0), (1, 1))
    y = naive.convolution(y, *blobs["behind"], (1, 1), (0, 0), (1, 1))
    relu = {"name": "relu", "before": [], "keras": {"class_name": "ReLU", "arguments": {}}, "after": []}
    described = [layers.of["bn"][0], relu, *(layers.of[name][0] for name in ("dw", "prelu", "up", "behind"))]
    model = layers.load_into(chain(keras, described, (4, 5, 3)))
    assert_close(model(last(x)[..., ::-1]), last(y))


def test_what_cannot_be_turned_is_named(tmp_path: Path) -> None:
    text = 'layer { name: "it" type: "InnerProduct" bottom: "data" top: "it" inner_product_param { num_output: 2 } }'
    result = convert(small_net(tmp_path, (1, 3, 2, 2), text, {"it": arrays((2, 12), (2,))}), bgr_to_rgb=True)
    assert [str(note) for note in result.notes if note.level == "warning"] == [
        "it: reads an image, but cannot be turned from BGR to RGB"
    ]


def test_a_net_without_images_says_so(tmp_path: Path) -> None:
    result = convert(small_net(tmp_path, (1, 4, 2, 2), "", {}), bgr_to_rgb=True)
    assert result.notes[-1] == Note(
        "warning", None, "no layer reads an image of three channels, so nothing is turned to RGB"
    )
