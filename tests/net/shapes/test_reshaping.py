"""The same elements in other axes."""

from __future__ import annotations

import math

from caffeconv.model import whole
from caffeconv.net.shapes import infer_top_shapes
from tests.support.shape_cases import IMAGE, MATRIX, Case, shape_tests

CASES = {
    # Caffe's own, compared with a running Caffe
    "flatten": Case("Flatten", "", (IMAGE,), ((2, 192),)),
    "flatten_axes": Case("Flatten", "flatten_param { axis: -3 end_axis: -2 }", (IMAGE,), ((2, 24, 8),)),
    "flatten_nothing": Case("Flatten", "flatten_param { axis: 2 end_axis: 1 }", (IMAGE,), ((2, 4, 1, 6, 8),)),
    "reshape": Case("Reshape", "reshape_param { shape { dim: 0 dim: 2 dim: -1 dim: 8 } }", (IMAGE,), ((2, 2, 12, 8),)),
    "reshape_axis": Case("Reshape", "reshape_param { shape { dim: 2 dim: -1 } axis: -2 num_axes: 1 }",
                         (IMAGE,), ((2, 4, 6, 2, 4),)),
    "reshape_copy_from_axis": Case("Reshape", "reshape_param { shape { dim: 0 dim: -1 } axis: 1 }",
                                   (IMAGE,), ((2, 4, 48),)),
    "reshape_insert": Case("Reshape", "reshape_param { shape { dim: 1 dim: 1 } axis: -1 num_axes: 0 }",
                           (IMAGE,), ((2, 4, 6, 8, 1, 1),)),
    "reshape_scalar": Case("Reshape", "reshape_param { shape { } }", ((1, 1),), ((),)),
    # of forks, by their sources
    **{name: Case(name, "", (IMAGE,), (IMAGE,)) for name in ("Reverse", "ShuffleChannel")},
    "permute": Case("Permute", "permute_param { order: 0 order: 2 order: 3 order: 1 }", (IMAGE,), ((2, 6, 8, 4),)),
    "permute_rest": Case("Permute", "permute_param { order: 3 }", (IMAGE,), ((8, 2, 4, 6),)),
    "reorg": Case("Reorg", "reorg_param { stride: 2 }", (IMAGE,), ((2, 16, 3, 4),)),
    "reorg_back": Case("Reorg", "reorg_param { stride: 2 reverse: true }", (IMAGE,), ((2, 1, 12, 16),)),
    "transpose": Case("Transpose", "transpose_param { dim: 3 dim: 2 dim: 0 dim: 1 }", (IMAGE,), ((8, 6, 2, 4),)),
}  # fmt: skip
REFUSED = {
    "flatten_order": Case("Flatten", "flatten_param { axis: 3 end_axis: 1 }", (IMAGE,)),
    "flatten_axis": Case("Flatten", "flatten_param { axis: 4 }", (IMAGE,)),
    "reshape_count": Case("Reshape", "reshape_param { shape { dim: 7 } }", (MATRIX,)),
    "reshape_inferred_count": Case("Reshape", "reshape_param { shape { dim: 7 dim: -1 } }", (MATRIX,)),
    "reshape_two_inferred": Case("Reshape", "reshape_param { shape { dim: -1 dim: -1 } }", (MATRIX,)),
    "reshape_copy_beyond": Case("Reshape", "reshape_param { shape { dim: 5 dim: 3 dim: 0 } }", (MATRIX,)),
    "reshape_axis": Case("Reshape", "reshape_param { shape { dim: -1 } axis: 3 }", (MATRIX,)),
    "reshape_num_axes": Case("Reshape", "reshape_param { shape { dim: -1 } axis: 1 num_axes: 2 }", (MATRIX,)),
}  # fmt: skip

TestShapes = shape_tests(CASES, REFUSED, tops_over_unknown={"flatten": ((None, None),)})


def test_the_number_of_elements_stays() -> None:
    for name in (
        "flatten",
        "flatten_axes",
        "flatten_nothing",
        "reshape",
        "reorg",
        "transpose",
        "permute",
    ):
        case = CASES[name]
        (bottom,), (top,) = case.bottoms, infer_top_shapes(case.param, case.bottoms)[0]
        sizes = whole(bottom), whole(top)
        assert sizes[0] is not None
        assert sizes[1] is not None
        assert math.prod(sizes[0]) == math.prod(sizes[1])
