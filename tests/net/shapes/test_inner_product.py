"""Full weight matrices, and Embed."""

from __future__ import annotations

from tests.support.shape_cases import CONT, IMAGE, LABELS, MATRIX, Case, shape_tests

CASES = {
    # Caffe's own, compared with a running Caffe
    "ip": Case("InnerProduct", "inner_product_param { num_output: 7 }", (IMAGE,), ((2, 7),), ((7, 192), (7,))),
    "ip_axis_transposed": Case("InnerProduct",
                               "inner_product_param { num_output: 7 axis: -1 transpose: true bias_term: false }",
                               (IMAGE,), ((2, 4, 6, 7),), ((8, 7),)),
    "embed": Case("Embed", "embed_param { input_dim: 9 num_output: 4 }", (CONT,), ((7, 2, 4),), ((9, 4), (4,))),
    "embed_no_bias": Case("Embed", "embed_param { input_dim: 9 num_output: 4 bias_term: false }",
                          (LABELS,), ((5, 4),), ((9, 4),)),
    # of forks, by their sources
    **{
        name: Case(name, "inner_product_param { num_output: 7 }", (IMAGE,), ((2, 7),), None)
        for name in ("CInnerProduct", "SqueezeInnerProduct")
    },
    "fc_ristretto": Case("FcRistretto", "inner_product_param { num_output: 7 }", (IMAGE,), ((2, 7),), ((7, 192), (7,))),
    "margin_product": Case("MarginInnerProduct", "margin_inner_product_param { num_output: 9 }",
                           (MATRIX, LABELS), ((5, 9), (1,)), ((9, 3),)),
    "inner_distance": Case("InnerDistance", "inner_distance_param { num_output: 7 }", (IMAGE,), ((2, 7),), None),
}  # fmt: skip
REFUSED = {
    "ip_axis": Case("InnerProduct", "inner_product_param { num_output: 7 axis: 4 }", (IMAGE,)),
}  # fmt: skip

TestShapes = shape_tests(CASES, REFUSED, over_unknown={
    "ip": ((7, None), (7,)),
    "ip_axis_transposed": ((None, 7),),
    "embed": ((9, 4), (4,)),
}, tops_over_unknown={
    "inner_distance": ((None, 7),),
    "ip": ((None, 7),),
    **dict.fromkeys(("CInnerProduct", "SqueezeInnerProduct", "fc_ristretto"), ((None, 7),)),
    "margin_product": ((None, 9), (1,)),
})  # fmt: skip
