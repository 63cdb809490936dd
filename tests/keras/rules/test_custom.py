"""Layers whose meaning is a program of the user's or of a fork's."""

from __future__ import annotations

import pytest

from caffeconv.keras.assembling import assembled
from caffeconv.keras.building import Options
from tests.support import formula_cases
from tests.support.net_builder import input_text, layer_text, net_of

STORED = {
    "MultiStageMeanfield": dict.fromkeys(("spatial_weights", "bilateral_weights", "compatibility"), (1, 1, 3, 3)),
}


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        pytest.param(
            layer_text("it", "Python", "data", more='python_param { module: "rpn.proposal" layer: "Proposal" }'),
            "what it computes stands in rpn.proposal.Proposal: write that as a layer of Keras",
            id="python",
        ),
        pytest.param(layer_text("it", "Python", "data"), "a module that the net does not name", id="python-unnamed"),
        pytest.param(layer_text("it", "UnPooling", "data"), "contradict each other", id="unpooling"),
        pytest.param(layer_text("it", "Quantization", "data"), "contradict each other", id="quantization"),
        pytest.param(layer_text("it", "Filter", "data data"), "end the model at its bottoms", id="filter"),
        pytest.param(layer_text("it", "MultiStageMeanfield", "data data data"), "permutohedral lattice", id="crf"),
    ],
)
def test_what_no_layer_of_keras_can_do_says_what_the_user_can(layer: str, said: str) -> None:
    model = assembled(net_of(input_text("data", 2, 3, 4, 5) + layer), Options())
    (problem,) = (node.problem for node in model.nodes if node.problem)
    assert said in problem


test_is_named_and_as_stored = formula_cases.is_named_and_as_stored(STORED)
