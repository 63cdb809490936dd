"""Sums over axes and positions of maxima."""

from __future__ import annotations

from tests.support.shape_cases import IMAGE, MATRIX, Case, shape_tests

CASES = {
    "reduction": Case("Reduction", "", (IMAGE,), ((),)),
    "reduction_axis": Case("Reduction", "reduction_param { axis: -2 }", (IMAGE,), ((2, 4),)),
    "argmax": Case("ArgMax", "argmax_param { top_k: 2 }", (IMAGE,), ((2, 1, 2, 1),)),
    "argmax_values_2d": Case("ArgMax", "argmax_param { out_max_val: true top_k: 2 }", (MATRIX,), ((5, 2, 2),)),
    "argmax_axis": Case("ArgMax", "argmax_param { axis: -3 top_k: 2 out_max_val: true }", (IMAGE,), ((2, 2, 6, 8),)),
    "parse_output": Case("ParseOutput", "", (IMAGE,), ((2, 1, 6, 8), (2, 1, 6, 8)), None),
}  # fmt: skip
REFUSED = {
    "reduction_axis": Case("Reduction", "reduction_param { axis: 4 }", (IMAGE,)),
    "argmax_top_k": Case("ArgMax", "argmax_param { top_k: 4 }", (MATRIX,)),
}  # fmt: skip

TestShapes = shape_tests(CASES, REFUSED)
