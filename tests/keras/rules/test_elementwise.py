"""Factors and offsets; each Scale that is fused into a BatchNorm is among the normalizations."""

from __future__ import annotations

from caffeconv.model import Array
from tests.support import caffe_cases, formula_cases
from tests.support.caffe_cases import by_feature, in_caffes_order
from tests.support.caffe_runs import Run
from tests.support.flattened_maps import channels_last


def factors_multiplied(run: Run) -> tuple[list[Array], list[Array]]:
    """Keras' Multiply stands before the layer that adds the offsets."""
    factors = run.bottoms[1].reshape(1, *run.bottoms[1].shape, 1)
    return [channels_last(run.bottoms[0] * factors)], [channels_last(run.tops[0])]


CAFFE = {
    **caffe_cases.learned(
        "Scale",
        orders={
            "scale/two_bottoms_bias": factors_multiplied,
            "flattened_features/factors": by_feature((4, 2, 3), (5,), (4, 2, 3)),
            "flattened_features/rows_factor": in_caffes_order,
        },
        stored={
            "scale/whole": "one factor for every sample of a batch",
            "affine_by_bottom/scale_with_bias": "one offset for every sample of a batch",
        },
    ),
    **caffe_cases.learned("Bias", orders={"flattened_features/offsets": by_feature((4, 2, 3))}),
}
STORED = {"ChannelScale": {"scale": (1,)}}

test_computes_what_caffe_computes = caffe_cases.computes_what_caffe_computes(CAFFE)
test_is_said_to_be_stored = caffe_cases.is_said_to_be_stored(CAFFE)
test_is_named_and_as_stored = formula_cases.is_named_and_as_stored(STORED)
