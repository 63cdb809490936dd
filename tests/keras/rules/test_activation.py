"""Activations that learn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from caffeconv.keras.conversion import convert
from caffeconv.model import Array
from tests.support import caffe_cases
from tests.support.caffe_cases import by_feature, in_caffes_order
from tests.support.layer_cases import Case, assert_computes, definition_tests, random
from tests.support.naive_forks import divided_below, on_steps
from tests.support.net_builder import input_text, layer_text, net_of

CAFFE = caffe_cases.learned(
    "PReLU",
    orders={
        "flattened_features/slopes": by_feature((4, 2, 3)),
        "flattened_features/one_slope": by_feature((4, 2, 3)),
        "flattened_features/rows_slopes": in_caffes_order,
        "prelu/of_lines": in_caffes_order,
    },
)

IMAGE = ((2, 3, 4, 5),)
POINT = (np.array([2.75], np.float32),)
CASES = {
    "scaled-in-testing": Case(
        "Dropout", "dropout_param { dropout_ratio: 0.75 scale_train: false }", IMAGE, lambda x: x * 0.25
    ),
    "scaled-in-training": Case("Dropout", "dropout_param { scale_train: true }", IMAGE, lambda x: x),
    "rrelu": Case("RReLU", "rrelu_param { lb: 10 ub: 30 }", IMAGE, divided_below(10, 30)),
    "rrelu-by-default": Case("RReLU", "", IMAGE, divided_below(3, 8)),
    "insanity": Case("Insanity", "insanity_param { lb: 3 ub: 5 }", IMAGE, divided_below(3, 5)),
    "fixed": Case("FixedNeuron", "fixed_param { bit_width: 8 }", IMAGE, on_steps(8, 2), arrays=POINT),
    "fixed-clipped": Case("FixedNeuron", "fixed_param { bit_width: 4 }", IMAGE, on_steps(4, 2), arrays=POINT),
    "fixed-coarse": Case(
        "FixedNeuron", "", ((2, 6),), on_steps(8, -1), arrays=(np.array([-1], np.float32),)
    ),
    "fixed-data": Case(
        "FixedNeuron", "fixed_param { follow_data_layer: true }", IMAGE, on_steps(8, 2, truncated=True), arrays=POINT
    ),
    "not-fixed": Case("FixedNeuron", "fixed_param { enable: false }", IMAGE, lambda x, *_: x, arrays=POINT),
}  # fmt: skip

TestDefinitions = definition_tests(CASES)
test_computes_what_caffe_computes = caffe_cases.computes_what_caffe_computes(CAFFE)


@pytest.mark.parametrize(
    ("param", "formula"),
    [
        pytest.param("relu6: true", lambda x: np.clip(x, 0, 6), id="relu6"),
        pytest.param("relu6: true negative_slope: 0.5", lambda x: np.where(x < 0, x / 2, np.minimum(x, 6)), id="leaky"),
        pytest.param("relu6: false", lambda x: np.maximum(x, 0), id="no-relu6"),
    ],
)
def test_beyond_six(param: str, formula: Callable[[Array], Array], keras: ModuleType, tmp_path: Path) -> None:
    x = random((2, 3, 4, 5), 1) * 10
    net = net_of(input_text("in0", *x.shape) + layer_text("it", "ReLU", "in0", "out0", f"relu_param {{ {param} }}"))
    assert_computes(net, {"in0": x}, {"out0": formula(x)}, tmp_path, keras)
    assert ["relu6" in note.text for note in convert(net).notes if note.layer == "it"] == [True] * ("6: true" in param)


@pytest.mark.parametrize(
    ("param", "words"),
    [
        pytest.param("dropout_ratio: 0.25 scale_train: false", ["it", "scale_train", "= 0.75"], id="scales"),
        pytest.param("dropout_ratio: 0.25 scale_train: true", None, id="does-not"),
        pytest.param("dropout_ratio: 0.25", None, id="not-said"),
    ],
)
def test_scaling_when_it_is_not_trained_is_told(param: str, words: list[str] | None) -> None:
    text = layer_text("it", "Dropout", "data", more=f"dropout_param {{ {param} }}")
    net = net_of(input_text("data", 2, 3) + layer_text("ip", "InnerProduct", "data", more=IP) + text, PRODUCT)
    warnings = [str(note) for note in convert(net).notes if note.level == "warning"]
    assert len(warnings) == (words is not None)
    assert all(word in warnings[0] for word in words or ())


@pytest.mark.parametrize(("axis", "note"), [(1, None), (2, "axis 2 of Caffe's, which is axis 1 in Keras")])
def test_softmax_along_another_axis_is_told(axis: int, note: str | None) -> None:
    text = layer_text("it", "Softmax", "data", more=f"softmax_param {{ axis: {axis} }}")
    notes = [each.text for each in convert(net_of(input_text("data", 1, 3, 4, 5) + text)).notes if each.layer == "it"]
    assert [note is not None and note in text for text in notes] == [True] * (note is not None)


IP = "inner_product_param { num_output: 1 }"
PRODUCT = [("ip", [np.ones((1, 3), np.float32), np.ones(1, np.float32)])]
