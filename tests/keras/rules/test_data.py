"""Parameter, the one source of data that learns."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tests.support import caffe_cases
from tests.support.caffe_runs import Run
from tests.support.described_models import Layers

NO_LAYER = "Keras has no layer that holds nothing but an array"
CAFFE = caffe_cases.learned(
    "Parameter", stored={"parameter/offsets": NO_LAYER, "parameter/addend": NO_LAYER, "parameter/line": NO_LAYER}
)

test_is_said_to_be_stored = caffe_cases.is_said_to_be_stored(CAFFE)


def test_a_parameter_is_its_own_output(conversions: Mapping[str, Layers]) -> None:
    layers = conversions["parameter"]
    for name in ("offsets", "addend", "line"):
        (stored,) = (layer for layer in layers.result.layers if layer.name == name)
        (weight,), (top, *_) = stored.weights, Run("parameter", name, name).tops
        assert (weight.array.shape, weight.array.dtype) == (top.shape, top.dtype)
        np.testing.assert_array_equal(weight.array, top)
