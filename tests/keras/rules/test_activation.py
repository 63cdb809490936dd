"""Activations that learn."""

from __future__ import annotations

from tests.support import caffe_cases
from tests.support.caffe_cases import by_feature, in_caffes_order

CAFFE = caffe_cases.learned(
    "PReLU",
    orders={
        "flattened_features/slopes": by_feature((4, 2, 3)),
        "flattened_features/one_slope": by_feature((4, 2, 3)),
        "flattened_features/rows_slopes": in_caffes_order,
        "prelu/of_lines": in_caffes_order,
    },
)

test_computes_what_caffe_computes = caffe_cases.computes_what_caffe_computes(CAFFE)
