"""What enlarges maps: values put back to where a pooling found them, SegNet as a whole among it, or spread."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from caffeconv.keras.assembling import assembled
from caffeconv.keras.building import Options
from caffeconv.keras.conversion import convert
from caffeconv.model import Array, Net
from tests.support import naive_layers as naive
from tests.support.layer_cases import Case, assert_computes, definition_tests, random
from tests.support.naive_pooling import max_pooled, put_back, unpooled
from tests.support.net_builder import input_text, layer_text, net_of
from tests.support.python_models import KERAS, using

MAPS = (2, 3, 4, 5)


def spread(method: str, *window: Any) -> Callable[[Array], Array]:
    return lambda x: unpooled(x, method, *window)


CASES = {
    "begin": Case(
        "Unpooling", "unpooling_param { unpool: MAX kernel_size: 2 stride: 2 unpool_h: 8 unpool_w: 10 }",
        (MAPS,), spread("MAX", (2, 2), (2, 2), 8, 10),
    ),
    "begin-clipped": Case(
        "Unpooling", "unpooling_param { kernel_size: 3 stride: 2 unpool_h: 5 unpool_w: 9 }",
        (MAPS,), spread("MAX", (3, 3), (2, 2), 5, 9),
    ),
    "shared": Case(
        "Unpooling", "unpooling_param { unpool: AVE kernel_size: 3 stride: 2 unpool_h: 8 unpool_w: 10 }",
        (MAPS,), spread("AVE", (3, 3), (2, 2), 8, 10),
    ),
    "everywhere": Case(
        "Unpooling",
        "unpooling_param { unpool: TILE kernel_h: 3 kernel_w: 2 stride_h: 2 stride_w: 3 unpool_h: 9 unpool_w: 14 }",
        (MAPS,), spread("TILE", (3, 2), (2, 3), 9, 14),
    ),
    "yolo": Case("Upsample", "upsample_param { scale: 2 }", (MAPS,), lambda x: x.repeat(2, 2).repeat(2, 3)),
}  # fmt: skip

TestDefinitions = definition_tests(CASES)


def masked(size: tuple[int, int], pooling: str, layer: str) -> Net:
    """A pooling, and a layer that puts other values to where its maxima stood."""
    image = (2, 3, *size)
    pooled = max_pooled(np.zeros(image), *WINDOWS[pooling])[0].shape
    return net_of(
        input_text("data", *image)
        + input_text("values", *pooled)
        + layer_text("pool", "Pooling", "data", "pool mask", f"pooling_param {{ pool: MAX {pooling} }}")
        + layer_text("gone", "Silence", "pool", "")
        + layer_text("up", "Unpooling" if "unpool" in layer else "Upsample", "values mask", more=layer)
    )


WINDOWS = {
    "kernel_size: 2 stride: 2": ((2, 2), (2, 2), (0, 0)),
    "kernel_size: 3 stride: 2": ((3, 3), (2, 2), (0, 0)),
    "kernel_size: 3 stride: 1 pad: 1": ((3, 3), (1, 1), (1, 1)),
    "kernel_size: 2 stride: 3": ((2, 2), (3, 3), (0, 0)),
    "kernel_h: 3 kernel_w: 2 stride_h: 2 stride_w: 1 pad_h: 1 pad_w: 0": ((3, 2), (2, 1), (1, 0)),
}
SIZE = "upsample_param { upsample_h: %d upsample_w: %d }"
BACK = [
    pytest.param((8, 6), "kernel_size: 2 stride: 2", "upsample_param { scale: 2 }", (8, 6), id="halves"),
    pytest.param((7, 9), "kernel_size: 2 stride: 2", SIZE % (7, 9), (7, 9), id="odd"),
    pytest.param(
        (7, 9), "kernel_size: 2 stride: 2", "upsample_param { scale: 2 pad_out_h: true pad_out_w: true }", (7, 9),
        id="less-a-row",
    ),
    pytest.param((7, 9), "kernel_size: 2 stride: 2", "upsample_param { scale: 2 }", (8, 10), id="larger"),
    pytest.param((8, 6), "kernel_size: 3 stride: 2", SIZE % (8, 6), (8, 6), id="over"),
    pytest.param(
        (5, 6), "kernel_size: 3 stride: 1 pad: 1", SIZE % (5, 6), (5, 6), id="dense"
    ),
    pytest.param((8, 7), "kernel_size: 2 stride: 3", SIZE % (8, 7), (8, 7), id="gaps"),
    pytest.param(
        (7, 6), "kernel_h: 3 kernel_w: 2 stride_h: 2 stride_w: 1 pad_h: 1 pad_w: 0",
        "unpooling_param { kernel_size: 3 stride: 2 unpool_h: 7 unpool_w: 6 }", (7, 6), id="deconvnet",
    ),
]  # fmt: skip


class TestPutBack:
    @pytest.mark.parametrize(("size", "pooling", "layer", "top"), BACK)
    @pytest.mark.parametrize("form", ["graph", "py", "tf_keras", "keras"])
    def test_to_where_the_maxima_stood(
        self, size: tuple[int, int], pooling: str, layer: str, top: tuple[int, int], form: str,
        monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
    ) -> None:  # fmt: skip
        net = masked(size, pooling, layer)
        data = np.maximum(random((2, 3, *size), 1), 0)  # equal ones, too
        _, mask = max_pooled(data, *WINDOWS[pooling])
        values = random(mask.shape, 2)
        expected = {"up": put_back(values, mask, *top)}
        assert_computes(net, {"data": data, "values": values}, expected, tmp_path, form_of(form, monkeypatch))

    def test_a_mask_of_unknown_origin_is_refused(self) -> None:
        text = input_text("values", 1, 2, 3, 3) + input_text("mask", 1, 2, 3, 3)
        net = net_of(text + layer_text("up", "Upsample", "values mask", more="upsample_param { scale: 2 }"))
        (problem,) = (node.problem for node in assembled(net, Options()).nodes if node.problem)
        assert problem.startswith("its second bottom is not the second top of a pooling")


def form_of(name: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The graph in Keras 3, the Python in either Keras, or the archive."""
    if name == "graph":
        return pytest.importorskip("keras")
    if name == "keras":
        return "keras"
    using(monkeypatch, "tf_keras" if name == "tf_keras" else "keras")
    return "py"


CONV = "convolution_param { num_output: %d kernel_size: 3 pad: 1 }"
POOL = "pooling_param { pool: MAX kernel_size: 2 stride: 2 }"


def segnet() -> tuple[Net, dict[str, Array], dict[str, Array]]:
    """Two poolings and their undoing, as SegNet has five, on sizes that are odd; and what it computes, by loops."""
    text = input_text("data", 2, 3, 11, 14)
    weights: list[tuple[str, list[Array]]] = []
    x = data = random((2, 3, 11, 14), 1)

    def convolved(name: str, bottom: str, x: Array, outputs: int, normalized: bool = True) -> Array:
        nonlocal text
        kernel, bias = random((outputs, x.shape[1], 3, 3), len(weights)) / 4, random((outputs,), 50 + len(weights))
        weights.append((name, [kernel, bias]))
        text += layer_text(name, "Convolution", bottom, more=CONV % outputs)
        x = naive.convolution(x, kernel, bias, (1, 1), (1, 1), (1, 1))
        if not normalized:
            return x
        scale, shift = random((1, outputs, 1, 1), 70 + len(weights)), random((1, outputs, 1, 1), 90 + len(weights))
        weights.append((f"{name}_bn", [scale, shift]))
        text += layer_text(f"{name}_bn", "BN", name, name, "bn_param { bn_mode: INFERENCE }")
        text += layer_text(f"{name}_relu", "ReLU", name, name)
        return np.asarray(np.maximum(x * scale + shift, 0))

    x = convolved("conv1", "data", x, 4)
    text += layer_text("pool1", "Pooling", "conv1", "pool1 pool1_mask", POOL)
    x, first = max_pooled(x.astype("f4"), (2, 2), (2, 2), (0, 0))
    x = convolved("conv2", "pool1", x, 5)
    text += layer_text("pool2", "Pooling", "conv2", "pool2 pool2_mask", POOL)
    x, second = max_pooled(x.astype("f4"), (2, 2), (2, 2), (0, 0))
    text += layer_text("up2", "Upsample", "pool2 pool2_mask", more="upsample_param { scale: 2 pad_out_w: true }")
    x = convolved("conv2_D", "up2", put_back(x, second, 6, 7), 4)
    text += layer_text("up1", "Upsample", "conv2_D pool1_mask", more="upsample_param { upsample_h: 11 upsample_w: 14 }")
    x = convolved("conv1_D", "up1", put_back(x, first, 11, 14), 3, normalized=False)
    text += layer_text("prob", "Softmax", "conv1_D")
    power = np.exp(x - x.max(axis=1, keepdims=True))
    return net_of(text, weights), {"data": data}, {"prob": power / power.sum(axis=1, keepdims=True)}


class TestSegNet:
    def test_in_the_graph(self, keras: ModuleType, tmp_path: Path) -> None:
        assert_computes(*segnet(), tmp_path, keras, 1e-4)

    @pytest.mark.parametrize("keras_name", KERAS)
    def test_as_python(self, keras_name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        using(monkeypatch, keras_name)
        assert_computes(*segnet(), tmp_path, "py", 1e-4)

    def test_as_an_archive(self, tmp_path: Path) -> None:
        assert_computes(*segnet(), tmp_path, "keras", 1e-4)


@pytest.mark.parametrize(("factors", "size"), [("zoom_factor: 2", "7×9"), ("shrink_factor: 3", "2×2")])
def test_who_interpolates_is_told(factors: str, size: str) -> None:
    text = input_text("data", *MAPS) + layer_text("it", "Interp", "data", more=f"interp_param {{ {factors} }}")
    notes = [note.text for note in convert(net_of(text)).notes if note.layer == "it"]
    assert [f"corner on corner, to {size}" in text for text in notes] == [True]
