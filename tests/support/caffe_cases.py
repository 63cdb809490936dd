"""Every layer that learns: real Keras, built from the conversion's own words, against what real Caffe put out.

Keras works channels last, recurrent layers batch first; the arrays of `activations.npz` are brought to that order here.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from caffeconv.keras.rules import RULES
from caffeconv.model import Array
from tests.support.caffe_runs import Run, listing
from tests.support.described_models import KERAS, Described, Layers, assert_close, chain, converted, recurrent
from tests.support.flattened_maps import channels_last, flattened_channels_last, sequences
from tests.support.places import FIXTURES

FUSED = {
    "batch_norm/with_scale": "scale",
    "batch_norm/in_place": "in_place_scale",
    "batch_norm/factor_1": "scale_without_bias",
    "batch_norm_edges/apart_bn": "apart_scale",
    "batch_norm_edges/vector_bn": "vector_scale",
    "batch_norm_edges/volume_bn": "volume_scale",
    "batch_norm_old_params/bn": "scale",
    "flattened_features/norm": "norm_scale",
    "depthwise_net/conv1_bn": "conv1_scale",
    "depthwise_net/conv2_dw_bn": "conv2_dw_scale",
    "residual_block/conv1/bn": "conv1/scale",
    "residual_block/block/shortcut/bn": "block/shortcut/scale",
    "residual_block/block/a/bn": "block/a/scale",
    "residual_block/block/b/bn": "block/b/scale",
}
"""BatchNorm -> the Scale that alone reads it. In batch_norm_edges, `shared_bn` has a second reader, and so on."""

AS_STORED = {
    "parameter/offsets": "Keras has no layer that holds nothing but an array",
    "parameter/addend": "Keras has no layer that holds nothing but an array",
    "parameter/line": "Keras has no layer that holds nothing but an array",
    "scale/whole": "one factor for every sample of a batch",
}
"""What no layer of Keras computes, and why."""

SEGMENTS: dict[str, list[tuple[int, ...]]] = {
    "inner_product_flattened/behind_flatten": [(4, 4, 6)],
    "inner_product_flattened/behind_reshape": [(4, 2, 3)],
    "inner_product_flattened/behind_concat": [(4, 4, 6), (4, 2, 3)],
    "inner_product_flattened/behind_spp": [(4, 1, 1), (4, 2, 2)],
    "flattened_features/norm": [(4, 2, 3)],
    "flattened_features/norm_alone": [(4, 2, 3)],
    "flattened_features/slopes": [(4, 2, 3)],
    "flattened_features/one_slope": [(4, 2, 3)],
    "flattened_features/offsets": [(4, 2, 3)],
    "flattened_features/factors": [(4, 2, 3), (5,), (4, 2, 3)],
    "flattened_features/behind_part": [(4, 2, 3)],
    "flattened_features/behind_tiles": [(4, 2, 3), (4, 2, 3)],
    "flattened_features/behind_pixel": [(4, 2, 3)],
    "flattened_features/of_steps": [(4, 2, 3)],
    "flattened_features/sequence": [(4, 2, 3)],
}
"""The maps (C, H, W) that were flattened and put one behind the other to make a vector; a Keras model does the same."""

VECTORS = {"flattened_features/behind_pixel": (6, 24)}
"""Vectors with axes of size 1 behind them."""

SAME_AXES = {
    "lstm/scores",
    "flattened_features/rows_factor",
    "flattened_features/rows_norm",
    "flattened_features/rows_slopes",
}
"""Layers between others that keep Caffe's axes in Keras."""

Case = tuple[str, int]


RUN = sorted(path.parent.name for path in FIXTURES.glob("*/activations.npz"))
CASES = {
    f"{fixture}/{layer['name']}": (fixture, index)
    for fixture in RUN
    for index, layer in enumerate(listing(fixture))
    if layer["blobs"]
}
SCALES = {f"{norm.split('/')[0]}/{scale}" for norm, scale in FUSED.items()}


@pytest.fixture(scope="module")
def conversions(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Layers]:
    made: dict[str, Layers] = {}

    def get(fixture: str) -> Layers:
        if fixture not in made:
            made[fixture] = converted(FIXTURES / fixture, tmp_path_factory.mktemp(fixture))
        return made[fixture]

    return get


@pytest.fixture(scope="module", params=KERAS)
def keras(request: pytest.FixtureRequest) -> Any:
    return pytest.importorskip(request.param)


@pytest.mark.parametrize("case", [case for case in CASES if case not in AS_STORED and case not in SCALES])
def test_computes_what_caffe_computes(case: str, keras: Any, conversions: Callable[[str], Layers]) -> None:
    fixture, index = CASES[case]
    name = listing(fixture)[index]["name"]
    layers = conversions(fixture)
    described = layers.of[name]
    assert described[0]["caffe_layers"] == [name, FUSED[case]] if case in FUSED else [name]
    run = Run(fixture, name, described[0]["caffe_layers"][-1])
    if run.type in ("LSTM", "RNN"):
        check_recurrent(keras, layers, described, run, SEGMENTS.get(case))
        return
    for x, y in zip(*_in_keras_order(case, run), strict=True):
        model = layers.load_into(chain(keras, described, x.shape[1:]))
        assert_close(model(x), y)


def _in_keras_order(case: str, run: Run) -> tuple[list[Array], list[Array]]:
    """What goes into the Keras layer and what must come out, as often as the layer runs."""
    if run.type == "Embed" or case in SAME_AXES:  # no maps: the axes are those of Caffe
        return run.bottoms, run.tops
    if case in ("flattened_features/rows_convolved", "flattened_features/rows_spread"):
        return run.bottoms, [channels_last(run.tops[0])]
    if case in SEGMENTS:
        x, y, segments = run.bottoms[0].reshape(VECTORS.get(case, run.bottoms[0].shape)), run.tops[0], SEGMENTS[case]
        by_feature = run.type != "InnerProduct"
        return [flattened_channels_last(x, segments)], [flattened_channels_last(y, segments) if by_feature else y]
    if case == "inner_product_axis/axis_0":  # the batch is one of the axes that are multiplied
        return [run.bottoms[0].reshape(1, -1)], [run.tops[0][np.newaxis]]
    if run.type == "InnerProduct":
        return [channels_last(run.bottoms[0])], run.tops
    if run.type == "Scale" and len(run.bottoms) == 2:  # Keras' Multiply, before the layer that adds the offsets
        factors = run.bottoms[1].reshape(1, *run.bottoms[1].shape, 1)
        return [channels_last(run.bottoms[0] * factors)], [channels_last(run.tops[0])]
    if case in ("conv_axis/axis_2", "conv_axis/axis_minus_2"):  # the axis before the channels is one more batch
        return [channels_last(np.concatenate(run.bottoms[0]))], [channels_last(np.concatenate(run.tops[0]))]
    return [channels_last(x) for x in run.bottoms], [channels_last(y) for y in run.tops]


def check_recurrent(
    keras: Any, layers: Layers, described: list[Described], run: Run, segments: list[tuple[int, ...]] | None
) -> None:
    """Sequence by sequence: each begins where `cont` is 0, and Keras knows only whole ones.

    A static input is put behind x in every step; the first state counts where `cont` begins with 1.
    """
    count = 2 if run.type == "LSTM" else 1
    x, marks, *others = run.bottoms
    exposed = len(run.tops) > 1
    begin = [state[0] for state in others[-count:]] if exposed else []
    steps, batch = marks.shape
    x = sequences(x, others[0] if len(others) > count * exposed else None, segments)
    units = described[0]["keras"]["arguments"]["units"]
    model = layers.load_into(recurrent(keras, described, x.shape[2], count))
    for sample in range(batch):
        states = [state[sample : sample + 1] for state in begin] or [np.zeros((1, units), "f4")] * count
        cuts = sorted({0, *np.flatnonzero(marks[:, sample] == 0), steps})
        for start, stop in itertools.pairwise(cuts):
            if marks[start, sample] == 0:
                states = [np.zeros_like(state) for state in states]
            output, *states = model([x[start:stop, sample][np.newaxis], *states])
            states = [np.asarray(state) for state in states]
            assert_close(output[0], run.tops[0][start:stop, sample], 1e-4)
        for state, top in zip(states if exposed else [], run.tops[1:], strict=True):
            assert_close(state[0], top[0, sample], 1e-4)


@pytest.mark.parametrize("case", AS_STORED)
def test_says_what_keras_cannot_compute(case: str, conversions: Callable[[str], Layers]) -> None:
    fixture, index = CASES[case]
    layer = listing(fixture)[index]
    (described,) = conversions(fixture).of[layer["name"]]
    assert described["keras"] is None
    assert [weight["shape"] for weight in described["weights"]] == layer["blobs"]
    assert any(note["level"] == "warning" for note in described["notes"])


def test_a_parameter_is_its_own_output(conversions: Callable[[str], Layers]) -> None:
    layers = conversions("parameter")
    for name in ("offsets", "addend", "line"):
        (stored,) = (layer for layer in layers.result.layers if layer.name == name)
        np.testing.assert_array_equal(stored.weights[0].array, Run("parameter", name, name).tops[0], strict=True)


def test_every_row_that_caffe_can_run_has_a_case() -> None:
    known = set(json.loads((FIXTURES / "MANIFEST.json").read_text())["versions"]["layer_types"])
    proven = {listing(fixture)[index]["type"] for fixture, index in CASES.values()}
    assert proven == known & set(RULES)


@pytest.mark.parametrize("case", AS_STORED)
def test_what_is_as_stored_is_there(case: str) -> None:
    assert case in CASES
