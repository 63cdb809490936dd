"""Full weight matrices, and Embed."""

from __future__ import annotations

import numpy as np

from caffeconv.model import Array
from tests.support import caffe_cases, formula_cases
from tests.support.caffe_cases import Order, in_caffes_order
from tests.support.caffe_runs import Run
from tests.support.flattened_maps import channels_last, flattened_channels_last
from tests.support.formula_cases import Case, masked
from tests.support.layer_cases import Case as LayerCase
from tests.support.layer_cases import definition_tests
from tests.support.naive_forks import distances


def maps_to_vector(run: Run) -> tuple[list[Array], list[Array]]:
    return [channels_last(run.bottoms[0])], run.tops


def behind(*segments: tuple[int, ...]) -> Order:
    """Behind vectors of flattened maps."""

    def order(run: Run) -> tuple[list[Array], list[Array]]:
        return [flattened_channels_last(run.bottoms[0], segments)], run.tops

    return order


def batch_as_features(run: Run) -> tuple[list[Array], list[Array]]:
    """The batch is one of the axes that are multiplied."""
    return [run.bottoms[0].reshape(1, -1)], [run.tops[0][np.newaxis]]


CAFFE = {
    **caffe_cases.learned("Embed", order=in_caffes_order),
    **caffe_cases.learned(
        "InnerProduct",
        order=maps_to_vector,
        orders={
            "inner_product_axis/axis_0": batch_as_features,
            "inner_product_flattened/behind_flatten": behind((4, 4, 6)),
            "inner_product_flattened/behind_reshape": behind((4, 2, 3)),
            "inner_product_flattened/behind_concat": behind((4, 4, 6), (4, 2, 3)),
            "inner_product_flattened/behind_spp": behind((4, 1, 1), (4, 2, 2)),
            "flattened_features/behind_part": behind((4, 2, 3)),
            "flattened_features/behind_tiles": behind((4, 2, 3), (4, 2, 3)),
            "flattened_features/of_steps": in_caffes_order,
            "lstm/scores": in_caffes_order,
            "pyramids/ip_of_spp": behind((3, 1, 1), (3, 2, 2), (3, 4, 4)),
            "reshaped_maps/ip_joined": behind((6, 3, 5), (4, 3, 5), (8,)),
            "reshaped_maps/ip_part_0": behind((6, 3, 5)),
            "reshaped_maps/ip_part_1": behind((4, 3, 5)),
        },
    ),
}


def inner_product(x: Array, weight: Array, bias: Array | float = 0) -> Array:
    return x.reshape(len(x), -1) @ weight.reshape(weight.shape[-2:]).T + bias


def unit_rows(x: Array, weight: Array) -> Array:
    products = np.array([[sample @ row / np.linalg.norm(row) for row in weight] for sample in x])
    scaled: Array = products * np.linalg.norm(weight[0])
    return scaled


def of_unit_length(x: Array, weight: Array, bias: Array | float = 0) -> Array:
    """happynear's `normalize`: each row is divided by its own length, as far as it has one."""
    rows = [row / np.sqrt((row.astype(float) ** 2).sum() + 1e-6) for row in weight]
    return inner_product(x, np.array(rows), bias)


DISTANCE = "inner_distance_param { num_output: 4 %s }"
FOUR = "inner_product_param { num_output: 4 }"
FORMULAS = (
    Case("plain", "FcRistretto", (3, 5), ((4, 5), (4,)), inner_product, FOUR),
    Case("old-shapes", "InnerProduct", (3, 5), ((1, 1, 4, 5), (1, 1, 1, 4)),
         lambda x, w, b: inner_product(x, w, b.ravel()), FOUR),
    *(Case("plain", name, (3, 5), ((4, 5),), unit_rows, "margin_inner_product_param { num_output: 4 }")
      for name in ("MarginInnerProduct", "LargeMarginInnerProduct")),
    Case("unit-length", "InnerProduct", (3, 5), ((4, 5), (4,)), of_unit_length,
         "inner_product_param { num_output: 4 normalize: true }"),
    Case("unit-length-of-maps", "InnerProduct", (3, 2, 3, 4), ((4, 24), (4,)), of_unit_length,
         "inner_product_param { num_output: 4 normalize: true }"),
    Case("unit-length-transposed", "InnerProduct", (3, 5), ((5, 4),), lambda x, w: of_unit_length(x, w.T),
         "inner_product_param { num_output: 4 normalize: true transpose: true bias_term: false }"),
    Case("all-masks", "CInnerProduct", (3, 5), ((4, 5), (4,)) * 2, masked(inner_product), FOUR, masks=2),
    Case("all-masks", "SqueezeInnerProduct", (3, 5), (*((4, 5), (4,)) * 2, (1, 1, 1, 2)), masked(inner_product),
         FOUR, masks=3),
)  # fmt: skip
CASES = {
    "squares": LayerCase("InnerDistance", DISTANCE % "", ((3, 5),), distances("L2"), ((4, 5), (4,))),
    "magnitudes": LayerCase(
        "InnerDistance", DISTANCE % 'distance_type: "L1" bias_term: false', ((3, 5),), distances("L1"), ((4, 5),)
    ),
    "of-maps": LayerCase("InnerDistance", DISTANCE % "", ((2, 3, 2, 4),), distances("L2"), ((4, 24), (4,))),
    "unit-length": LayerCase(
        "InnerDistance", DISTANCE % "normalize: true bias_term: false", ((3, 5),), distances("L2", True), ((4, 5),)
    ),
}
BY_ITSELF = {"InnerDistance"}

TestDefinitions = definition_tests(CASES)

test_computes_what_caffe_computes = caffe_cases.computes_what_caffe_computes(CAFFE)
test_computes_its_definition = formula_cases.computes_its_definition(FORMULAS)
