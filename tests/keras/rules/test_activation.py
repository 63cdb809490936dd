"""Activations that learn."""

from __future__ import annotations

import numpy as np

from tests.support import caffe_cases
from tests.support.caffe_cases import by_feature, in_caffes_order
from tests.support.layer_cases import Case, definition_tests
from tests.support.naive_forks import divided_below, on_steps

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
