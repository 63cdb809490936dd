"""Sums, products, factors and offsets."""

from __future__ import annotations

from tests.support.shape_cases import IMAGE, MATRIX, Case, shape_tests

CASES = {
    # Caffe's own, compared with a running Caffe
    "eltwise": Case("Eltwise", "eltwise_param { coeff: 1 coeff: -1 }", (MATRIX, MATRIX), (MATRIX,)),
    "scale": Case("Scale", "scale_param { bias_term: true }", (IMAGE,), (IMAGE,), ((4,), (4,))),
    "scale_axes": Case("Scale", "scale_param { axis: 1 num_axes: 2 }", (IMAGE,), (IMAGE,), ((4, 6),)),
    "scale_to_end": Case("Scale", "scale_param { axis: -2 num_axes: -1 bias_term: true }",
                         (IMAGE,), (IMAGE,), ((6, 8), (6, 8))),
    "scale_scalar": Case("Scale", "scale_param { num_axes: 0 bias_term: true }", (IMAGE,), (IMAGE,), ((), ())),
    "scale_two_bottoms": Case("Scale", "scale_param { axis: 0 bias_term: true }",
                              (IMAGE, (2, 4)), (IMAGE,), ((2, 4),)),
    "scale_two_bottoms_only": Case("Scale", "", (IMAGE, (4, 6)), (IMAGE,)),
    "bias": Case("Bias", "bias_param { num_axes: -1 }", (IMAGE,), (IMAGE,), ((4, 6, 8),)),
    "bias_scalar": Case("Bias", "bias_param { num_axes: 0 }", (IMAGE,), (IMAGE,), ((),)),
    "bias_two_bottoms": Case("Bias", "", (IMAGE, (4,)), (IMAGE,)),
    # of forks, by their sources
    "axpy": Case("Axpy", "", ((2, 4, 1, 1), IMAGE, IMAGE), (IMAGE,)),
    "channel_scale": Case("ChannelScale", "", (IMAGE, (2, 1, 6, 8)), (IMAGE, (1,)), None),
    "eltwise_affine": Case("EltwiseAffine", "", (IMAGE,), (IMAGE,), None),
    "mul": Case("Mul", "", (IMAGE, (2, 4, 1, 1)), (IMAGE,), None),
    "mul_by_more": Case("Mul", "", ((6, 1), IMAGE), (IMAGE,), None),
}  # fmt: skip
REFUSED = {
    "eltwise_shapes": Case("Eltwise", "", (IMAGE, MATRIX)),
    "eltwise_coefficients": Case("Eltwise", "eltwise_param { coeff: 1 }", (MATRIX, MATRIX)),
    "scale_bottoms": Case("Scale", "", (IMAGE, (6,))),
}  # fmt: skip

TestShapes = shape_tests(CASES, REFUSED, over_unknown={
    "scale": ((None,), (None,)),
    "scale_to_end": ((None, None), (None, None)),
    "scale_two_bottoms": None,  # not even their rank is known
    "bias": None,
})  # fmt: skip
