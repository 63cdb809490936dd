"""Factors and offsets; each Scale that is fused into a BatchNorm is among the normalizations."""

from __future__ import annotations

import numpy as np
import pytest

from caffeconv.keras.conversion import convert
from caffeconv.model import Array
from tests.support import caffe_cases
from tests.support import naive_forks as naive
from tests.support.caffe_cases import by_feature, in_caffes_order
from tests.support.caffe_runs import Run
from tests.support.flattened_maps import channels_last
from tests.support.layer_cases import Case, definition_tests
from tests.support.net_builder import input_text, layer_text, net_of


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
IMAGE = (2, 3, 4, 5)
CASES = {
    "slopes": Case("EltwiseAffine", "", (IMAGE,), naive.sloped, ((3,), (3,))),
    "one-slope": Case(
        "EltwiseAffine", "eltwise_affine_param { channel_shared: true }", (IMAGE,), naive.sloped, ((), ())
    ),
    "slopes-of-vectors": Case("EltwiseAffine", "", ((2, 6),), naive.sloped, ((1, 1, 1, 6),) * 2),
    "pixels": Case("ChannelScale", "", (IMAGE, (2, 1, 4, 5)), naive.scaled_pixels),
    "vectors": Case("ChannelScale", "", ((4, 6), (4, 1)), naive.scaled_pixels),
    "items": Case("ChannelScale", "", ((4, 3, 1, 1), (4,)), naive.scaled_pixels),
    "learned": Case(
        "ChannelScale", "channel_scale_param { global_scale: true }", (IMAGE, (2, 1, 4, 5)),
        lambda x, _, scale: (x * scale, scale), ((1,),), tops=2,
    ),
    "learned-alone": Case(
        "ChannelScale", "channel_scale_param { global_scale: true }", ((2, 6), (2,)),
        lambda x, _, scale: x * scale, ((1,),),
    ),
    "not-scaled": Case(
        "ChannelScale", "channel_scale_param { do_forward: false }", (IMAGE, (2, 1, 4, 5)), lambda x, _: x
    ),
    "columns": Case("Scale", "scale_param { axis: 2 }", (IMAGE, (4, 5)), lambda x, y: x * y),
    "channels-and-rows": Case("Bias", "", (IMAGE, (3, 4)), lambda x, y: x + y[..., np.newaxis]),
}  # fmt: skip
BY_ITSELF = {"ChannelScale", "EltwiseAffine"}

TestDefinitions = definition_tests(CASES)
test_computes_what_caffe_computes = caffe_cases.computes_what_caffe_computes(CAFFE)
test_has_a_class_of_ours = caffe_cases.has_a_class_of_ours(CAFFE)


@pytest.mark.parametrize(
    ("type_name", "param", "words"),
    [
        pytest.param("Eltwise", "eltwise_param { operation: DIV }", "operation: DIV", id="quotient"),
        pytest.param("Eltwise", "eltwise_param { operation: SORT }", "operation: SORT", id="sort"),
        pytest.param("Reduction", "reduction_param { operation: TOPK }", "operation: TOPK", id="top-k"),
    ],
)
def test_operations_of_forks_are_told(type_name: str, param: str, words: str) -> None:
    bottoms = "a b" if type_name == "Eltwise" else "a"
    text = input_text("a", *IMAGE) + input_text("b", *IMAGE) + layer_text("it", type_name, bottoms, more=param)
    warnings = [note.text for note in convert(net_of(text)).notes if note.layer == "it" and note.level == "warning"]
    assert [words in text for text in warnings] == [True]
