"""Models of nets whose images may be of any size: one model, several sizes, Caffe's windows in each."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from tests.keras.rules.test_pooling import naive_pooling
from tests.support.net_builder import layer_text, net_of
from tests.support.python_models import KERAS, using, worst_error, written
from tests.support.random_values import image

SIZES = ((7, 7), (8, 11), (12, 9))


@pytest.mark.parametrize("keras_name", KERAS)
@pytest.mark.parametrize("method", ["MAX", "AVE"])
def test_poolings_of_maps_of_any_size(
    method: str, keras_name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    using(monkeypatch, keras_name)
    windows = [
        (kernel, stride, pad, mode)
        for kernel, stride, pad, mode in itertools.product((1, 2, 3, 5), (1, 2, 3), (0, 1, 2), ("CEIL", "FLOOR"))
        if pad < kernel and stride <= kernel
    ]
    text = "".join(
        layer_text(
            f"p{number}", "Pooling", "data",
            more=f"pooling_param {{ pool: {method} kernel_size: {kernel} stride: {stride} pad: {pad} "
            f"round_mode: {mode} }}",
        )
        for number, (kernel, stride, pad, mode) in enumerate(windows)
    )  # fmt: skip
    made = written(net_of(text, input_shapes={"data": (None, 2, None, None)}), tmp_path)
    model = made.filled()
    for sizes in SIZES:
        x = image(2, 2, *sizes) - 2
        got = dict(made.run({"data": x}, model))
        for number, (kernel, stride, pad, mode) in enumerate(windows):
            kernels, strides, pads = ((each, each) for each in (kernel, stride, pad))
            expected = naive_pooling(x, method, kernels, strides, pads, mode == "CEIL")
            assert worst_error(got[f"p{number}"], expected.astype(np.float32)) < 1e-5, (windows[number], sizes)
