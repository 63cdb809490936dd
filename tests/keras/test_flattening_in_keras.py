"""The order of flattened maps as the user wants it, or says it is: in real Keras, against real Caffe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from caffeconv.keras.conversion import convert
from tests.support.caffe_runs import Run
from tests.support.described_models import Layers, assert_close, chain, converted, small_net
from tests.support.places import FIXTURES


@pytest.mark.parametrize("name", ["behind_spatial", "transposed_behind_spatial"])
def test_caffes_own_order(tmp_path: Path, keras: Any, name: str) -> None:
    layers = converted(FIXTURES / "inner_product", tmp_path, flatten_order="chw")
    run = Run("inner_product", name, name)
    model = layers.load_into(chain(keras, layers.of[name], (4, 5, 3)))
    assert_close(model(np.moveaxis(run.bottoms[0], 1, -1)), run.tops[0])


def test_a_shape_that_the_user_gives(tmp_path: Path, keras: Any) -> None:
    """An input of 60 features, which the user knows to be maps of 3×4×5."""
    random = np.random.default_rng(1)
    blobs = [random.normal(size=shape).astype("f4") for shape in ((6, 60), (6,))]
    text = 'layer { name: "it" type: "InnerProduct" bottom: "data" top: "it" inner_product_param { num_output: 6 } }'
    net = small_net(tmp_path, (2, 60), text, {"it": blobs})
    layers = Layers(convert(net, flatten_shapes={"it": (3, 4, 5)}), tmp_path)
    maps = random.normal(size=(2, 3, 4, 5)).astype("f4")
    model = layers.load_into(chain(keras, layers.of["it"], (60,)))
    assert_close(model(np.moveaxis(maps, 1, -1).reshape(2, 60)), maps.reshape(2, 60) @ blobs[0].T + blobs[1])
