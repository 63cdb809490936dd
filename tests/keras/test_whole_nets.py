"""The converted weights make nets that were written in Keras by hand compute what real Caffe computes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.described_models import assert_close, converted
from tests.support.places import FIXTURES
from tests.support.whole_nets import depthwise_net, encoder_decoder, first_and_last, lenet_like, residual_block


@pytest.mark.parametrize("net", [lenet_like, residual_block, depthwise_net, encoder_decoder])
def test_computes_what_caffe_computes(tmp_path: Path, keras: Any, net: Any) -> None:
    model = net(keras)
    layers = converted(FIXTURES / net.__name__, tmp_path)
    assert {layer.name for layer in layers.result.layers} == {layer.name for layer in model.layers if layer.weights}
    image, expected = first_and_last(net.__name__)
    assert_close(layers.load_into(model)(image), expected)
