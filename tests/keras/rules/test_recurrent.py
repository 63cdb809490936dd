"""Recurrent layers."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from caffeconv.keras.conversion import convert
from tests.support import caffe_cases
from tests.support import naive_layers as naive
from tests.support.caffe_cases import Case, of_each, what_keras_makes
from tests.support.described_models import Layers, assert_close, chain, one_layer, recurrent
from tests.support.flattened_maps import sequences
from tests.support.layer_cases import assert_computes
from tests.support.net_builder import input_text, layer_text, net_of

CAFFE = caffe_cases.learned("LSTM", "RNN")
BY_ITSELF = {"Lstm"}


@of_each(CAFFE)
def test_computes_what_caffe_computes(case: Case, keras: Any, conversions: Mapping[str, Layers]) -> None:
    """Sequence by sequence: each begins where `cont` is 0, and Keras knows only whole ones.

    A static input is put behind x in every step; the first state counts where `cont` begins with 1.
    """
    layers = conversions[case.fixture]
    described = what_keras_makes(case, layers)
    run = case.run
    count = 2 if run.type == "LSTM" else 1
    x, marks, *others = run.bottoms
    exposed = len(run.tops) > 1
    begin = [state[0] for state in others[-count:]] if exposed else []
    steps, batch = marks.shape
    x = sequences(x, others[0] if len(others) > count * exposed else None)
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


def test_the_older_lstm(tmp_path: Path, keras: Any) -> None:
    random = np.random.default_rng(3)
    blobs = [random.normal(0, 0.5, shape).astype("f4") for shape in ((8, 3), (8, 2), (8,))]
    param = "lstm_param { num_output: 2 }"
    layers = Layers(convert(one_layer(tmp_path, "Lstm", param, (6, 2, 3), blobs)), tmp_path)
    x = random.normal(size=(6, 2, 3)).astype("f4")
    model = layers.load_into(chain(keras, layers.of["it"], (6, 3)))
    assert_close(model(x.swapaxes(0, 1)), naive.lstm(x, *blobs).swapaxes(0, 1), 1e-4)


@pytest.mark.parametrize("form", ["graph", "py", "keras"])
def test_marks_of_sequences(form: str, tmp_path: Path) -> None:
    """CRNN's `continuation_indicator_layer.cpp`: 0 in the first step, then 1."""
    param = "continuation_indicator_param { time_step: 4 batch_size: 3 }"
    net = net_of(input_text("data", 3, 2) + layer_text("marks", "ContinuationIndicator", more=param))
    expected = np.array([[0.0] * 3, [1.0] * 3, [1.0] * 3, [1.0] * 3])
    form = pytest.importorskip("keras") if form == "graph" else form
    assert_computes(net, {"data": np.zeros((3, 2), "f4")}, {"marks": expected}, tmp_path, form)
