"""RGB for BGR: in real Keras, against real Caffe and plain formulas."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from caffeconv.keras.conversion import convert
from caffeconv.model import Note
from tests.support import naive_layers as naive
from tests.support.described_models import Layers, assert_close, chain, converted, small_net
from tests.support.flattened_maps import channels_last as last
from tests.support.places import FIXTURES
from tests.support.random_values import arrays, image
from tests.support.whole_nets import depthwise_net, first_and_last, residual_block

EPSILON = 1e-5


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
    dw, up, behind = ((blobs[name][0], blobs[name][1]) for name in ("dw", "up", "behind"))
    x = image(2, 3, 4, 5)
    y = np.maximum(naive.normalization(x, mean, variance, gamma, beta, EPSILON), 0)
    y = naive.convolution(y, dw[0], dw[1], (1, 1), (0, 0), (1, 1), 3)
    y = np.maximum(y, 0) + slope.reshape(3, 1, 1) * np.minimum(y, 0)
    y = naive.deconvolution(y, up[0], up[1], (2, 2), (0, 0), (1, 1))
    y = naive.convolution(y, behind[0], behind[1], (1, 1), (0, 0), (1, 1))
    relu = {"name": "relu", "before": [], "keras": {"class_name": "ReLU", "arguments": {}}, "after": []}
    described = [layers.of["bn"][0], relu, *(layers.of[name][0] for name in ("dw", "prelu", "up", "behind"))]
    model = layers.load_into(chain(keras, described, (4, 5, 3)))
    assert_close(model(last(x)[..., ::-1]), last(y))


def test_what_cannot_be_turned_is_named(tmp_path: Path) -> None:
    text = 'layer { name: "it" type: "InnerProduct" bottom: "data" top: "it" inner_product_param { num_output: 2 } }'
    result = convert(small_net(tmp_path, (1, 3, 2, 2), text, {"it": arrays((2, 12), (2,))}), bgr_to_rgb=True)
    assert [str(note) for note in result.notes if note.level == "warning"] == [
        "it: reads an image, but has no weights that can be turned from BGR to RGB: a model of your own must turn the "
        "channels back before it, as that of --format py does"
    ]


def test_a_net_without_images_says_so(tmp_path: Path) -> None:
    result = convert(small_net(tmp_path, (1, 4, 2, 2), "", {}), bgr_to_rgb=True)
    assert result.notes[-1] == Note(
        "warning", None, "no layer reads an image of three channels, so nothing is turned to RGB"
    )
