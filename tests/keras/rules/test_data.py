"""Parameter, the one source of data that learns."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from caffeconv.keras.assembling import assembled
from caffeconv.keras.building import Options
from tests.support import caffe_cases
from tests.support.caffe_runs import Run
from tests.support.described_models import Layers
from tests.support.net_builder import input_text, layer_text, net_of, values

NO_LAYER = "Keras has no layer that holds nothing but an array"
CAFFE = caffe_cases.learned(
    "Parameter", stored={"parameter/offsets": NO_LAYER, "parameter/addend": NO_LAYER, "parameter/line": NO_LAYER}
)

test_has_a_class_of_ours = caffe_cases.has_a_class_of_ours(CAFFE)


def test_a_parameter_is_its_own_output(conversions: Mapping[str, Layers]) -> None:
    layers = conversions["parameter"]
    for name in ("offsets", "addend", "line"):
        (stored,) = (layer for layer in layers.result.layers if layer.name == name)
        (weight,), (top, *_) = stored.weights, Run("parameter", name, name).tops
        assert (weight.array.shape, weight.array.dtype) == (top.shape, top.dtype)
        np.testing.assert_array_equal(weight.array, top)


def test_a_parameter_before_all_inputs_says_so() -> None:
    shape = "parameter_param { shape { dim: 3 } }"
    text = layer_text("value", "Parameter", more=shape) + input_text("data", 2, 3)
    net = net_of(text + layer_text("it", "Bias", "data value"), [("value", [values(3)])])
    (problem, *_) = (node.problem for node in assembled(net, Options()).nodes if node.problem)
    assert problem == "no input of the net stands before it: move it behind one"
