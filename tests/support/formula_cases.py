"""What no net of `fixtures/` has: types of forks, and rare settings, in real Keras against plain formulas."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from caffeconv.keras.conversion import convert
from caffeconv.keras.rules import RULES
from caffeconv.model import Array
from tests.support import naive_layers as naive
from tests.support.described_models import KERAS, Layers, assert_close, chain, one_layer
from tests.support.places import FIXTURES

Formula = Callable[..., Array]

CHANNELS = ((4,), (4,), (4,), (4,))
STATISTICS = ((1,), (1, 1, 1, 2))


@dataclasses.dataclass(frozen=True)
class Case:
    """A layer on an input of shape `bottom`, with blobs of shapes `blobs`; `formula(x, *blobs)` is what it computes.

    `masks` counts the last blobs that hold zeros and ones.
    """

    id: str
    type: str
    bottom: tuple[int, ...]
    blobs: tuple[tuple[int, ...], ...]
    formula: Formula
    param: str = ""
    masks: int = 0
    options: dict[str, Any] = dataclasses.field(default_factory=dict)


def sliding(formula: Formula, stride: int | tuple[int, ...] = 1, pad: int | tuple[int, ...] = 0,
            dilation: int | tuple[int, ...] = 1, group: int = 1) -> Formula:  # fmt: skip
    def compute(x: Array, weight: Array, bias: Array | None = None) -> Array:
        settings = (np.broadcast_to(each, weight.ndim - 2) for each in (stride, pad, dilation))
        return formula(x, weight, bias, *settings, group)

    return compute


def inner_product(x: Array, weight: Array, bias: Array | float = 0) -> Array:
    return x.reshape(len(x), -1) @ weight.reshape(weight.shape[-2:]).T + bias


def masked(formula: Formula) -> Formula:
    """W, b, mask of W, mask of b: what the mask has no one for is gone."""
    return lambda x, weight, bias, mask, bias_mask, *_: formula(x, weight * mask, bias * bias_mask)


def normalized(order: str, epsilon: float = 1e-5) -> Formula:
    """`order` names the blobs: mean, variance, factor, scale, shift, or - for what means nothing."""

    def compute(x: Array, *blobs: Array) -> Array:
        held = {letter: blob.reshape(-1) for letter, blob in zip(order, blobs, strict=True)}
        factor = held.get("f", np.ones(1))
        ones, zeros = np.ones(x.shape[1]), np.zeros(x.shape[1])
        mean, variance = held.get("m", zeros) / factor, held.get("v", ones - epsilon) / factor
        return naive.normalization(x, mean, variance, held.get("s", ones), held.get("b", zeros), epsilon)

    return compute


def unit_rows(x: Array, weight: Array) -> Array:
    return np.array([[sample @ row / np.linalg.norm(row) for row in weight] for sample in x]) * np.linalg.norm(
        weight[0]
    )


CONV = "convolution_param { num_output: %d kernel_size: %d %s }"
IMAGE = (2, 4, 7, 6)
CASES = (
    Case("stride-and-dilation", "Convolution", IMAGE, ((3, 4, 3, 3), (3,)),
         sliding(naive.convolution, 2, 2, 2), CONV % (3, 3, "stride: 2 pad: 2 dilation: 2")),
    Case("stride-and-dilation-apart", "Convolution", IMAGE, ((3, 4, 2, 2), (3,)),
         sliding(naive.convolution, (2, 1), 0, (1, 3)),
         CONV % (3, 2, "stride_h: 2 stride_w: 1 dilation: 1 dilation: 3")),
    Case("grouped-1d", "Convolution", (2, 4, 9), ((4, 1, 3), (4,)),
         sliding(naive.convolution, 2, 1, 1, 4), CONV % (4, 3, "stride: 2 pad: 1 group: 4")),
    Case("grouped-3d", "Convolution", (1, 2, 4, 5, 4), ((4, 1, 2, 2, 2),),
         sliding(naive.convolution, 1, 0, 1, 2), CONV % (4, 2, "group: 2 bias_term: false")),
    Case("depthwise-unequal-strides", "Convolution", IMAGE, ((4, 1, 3, 3), (4,)),
         sliding(naive.convolution, (2, 1), 1, 1, 4), CONV % (4, 3, "stride_h: 2 stride_w: 1 pad: 1 group: 4")),
    Case("depthwise-stride-and-dilation", "Convolution", IMAGE, ((8, 1, 2, 2), (8,)),
         sliding(naive.convolution, 2, 1, 2, 4), CONV % (8, 2, "stride: 2 pad: 1 dilation: 2 group: 4")),
    Case("depthwise-as-conv2d", "Convolution", IMAGE, ((8, 1, 3, 3), (8,)),
         sliding(naive.convolution, 1, 1, 1, 4), CONV % (8, 3, "pad: 1 group: 4"), options={"depthwise": "conv2d"}),
    Case("stride-and-dilation", "Deconvolution", (2, 4, 3, 4), ((4, 3, 3, 3), (3,)),
         sliding(naive.deconvolution, 2, 1, 2), CONV % (3, 3, "stride: 2 pad: 1 dilation: 2")),
    Case("grouped-stride-and-dilation", "Deconvolution", (2, 4, 3, 4), ((4, 3, 2, 2),),
         sliding(naive.deconvolution, (3, 2), 0, (2, 3), 2),
         CONV % (6, 2, "stride: 3 stride: 2 dilation: 2 dilation: 3 group: 2 bias_term: false")),
    Case("1d-dilation", "Deconvolution", (2, 3, 5), ((3, 2, 3), (2,)),
         sliding(naive.deconvolution, 1, 1, 4), CONV % (2, 3, "pad: 1 dilation: 4")),
    Case("dilation-apart", "Deconvolution", (2, 4, 3, 4), ((4, 3, 3, 2), (3,)),
         sliding(naive.deconvolution, 1, 0, (1, 3)),
         "convolution_param { num_output: 3 kernel_h: 3 kernel_w: 2 dilation: 1 dilation: 3 }"),
    Case("3d-dilation", "Deconvolution", (1, 2, 3, 2, 3), ((2, 3, 2, 2, 2), (3,)),
         sliding(naive.deconvolution, 1, 1, 2), CONV % (3, 2, "pad: 1 dilation: 2")),
    Case("unequal", "Convolution3D", (1, 2, 5, 6, 4), ((3, 2, 2, 3, 3), (1, 1, 1, 1, 3)),
         sliding(naive.convolution, (2, 1, 1), (1, 0, 0)),
         "convolution3d_param { num_output: 3 kernel_size: 3 kernel_depth: 2 temporal_stride: 2 temporal_pad: 1 }"),
    Case("old-parameter", "Convolution3D", (1, 2, 5, 6, 4), ((3, 2, 3, 2, 2),),
         sliding(naive.convolution, (1, 2, 2), 1),
         CONV % (3, 2, "kernel_depth: 3 stride: 2 pad: 1 temporal_pad: 1 bias_term: false")),
    Case("unequal", "Deconvolution3D", (1, 2, 2, 3, 4), ((2, 3, 3, 2, 2), (1, 1, 1, 1, 3)),
         sliding(naive.deconvolution, (1, 2, 2), (1, 0, 0)),
         "convolution3d_param { num_output: 3 kernel_size: 2 kernel_depth: 3 stride: 2 temporal_pad: 1 }"),
    *(Case("plain", name, IMAGE, ((4, 1, 3, 3), (4,)), sliding(naive.convolution, 2, 1, 1, 4),
           CONV % (4, 3, "stride: 2 pad: 1")) for name in ("ConvolutionDepthwise", "DepthwiseConvolution")),
    Case("multiplier", "DepthwiseConvolution", IMAGE, ((8, 1, 3, 3),), sliding(naive.convolution, group=4),
         CONV % (8, 3, "bias_term: false")),
    Case("plain", "ConvolutionRistretto", IMAGE, ((3, 4, 3, 3), (3,)), sliding(naive.convolution), CONV % (3, 3, "")),
    Case("plain", "DeconvolutionRistretto", IMAGE, ((4, 3, 3, 3), (3,)), sliding(naive.deconvolution),
         CONV % (3, 3, "")),
    Case("plain", "FcRistretto", (3, 5), ((4, 5), (4,)), inner_product, "inner_product_param { num_output: 4 }"),
    Case("old-shapes", "InnerProduct", (3, 5), ((1, 1, 4, 5), (1, 1, 1, 4)),
         lambda x, w, b: inner_product(x, w, b.ravel()), "inner_product_param { num_output: 4 }"),
    *(Case("plain", name, (3, 5), ((4, 5),), unit_rows, "margin_inner_product_param { num_output: 4 }")
      for name in ("MarginInnerProduct", "LargeMarginInnerProduct")),
    Case("all-masks", "CConvolution", IMAGE, ((3, 4, 2, 2), (3,)) * 2, masked(sliding(naive.convolution)),
         CONV % (3, 2, ""), masks=2),
    Case("without-bias", "CConvolution", IMAGE, ((3, 4, 2, 2),) * 2,
         lambda x, w, m: sliding(naive.convolution)(x, w * m), CONV % (3, 2, "bias_term: false"), masks=1),
    Case("mask-of-weights", "CConvolution", IMAGE, ((3, 4, 2, 2), (3,), (3, 4, 2, 2)),
         lambda x, w, b, m: sliding(naive.convolution)(x, w * m, b), CONV % (3, 2, ""), masks=1),
    Case("all-masks", "CInnerProduct", (3, 5), ((4, 5), (4,)) * 2, masked(inner_product),
         "inner_product_param { num_output: 4 }", masks=2),
    Case("all-masks", "SqueezeConvolution", IMAGE, (*((3, 4, 2, 2), (3,)) * 2, (1, 1, 1, 2)),
         masked(sliding(naive.convolution)), CONV % (3, 2, ""), masks=3),
    Case("all-masks", "SqueezeInnerProduct", (3, 5), (*((4, 5), (4,)) * 2, (1, 1, 1, 2)), masked(inner_product),
         "inner_product_param { num_output: 4 }", masks=3),
    Case("folded", "BatchNorm", IMAGE, CHANNELS[:2], normalized("sb")),
    Case("without-shift", "BatchNorm", IMAGE, ((4,), (4,), (1,), (4,)), normalized("mvfs")),
    Case("statistics-last", "BatchNorm", IMAGE, CHANNELS, normalized("sbmv", 1e-3), "batch_norm_param { eps: 0.001 }"),
    Case("digits", "BatchNorm", IMAGE, (*CHANNELS, (1,)), normalized("sbmv-")),
    Case("cudnn", "BatchNorm", IMAGE, (*((1, 4, 1, 1),) * 2, (1,), *((1, 4, 1, 1),) * 2), normalized("sb-mv")),
    Case("factor-amid", "BatchNorm", IMAGE, ((4,), (4,), (1,), (4,), (4,)), normalized("mvfsb")),
    Case("two-blobs", "BN", IMAGE, ((1, 4, 1, 1),) * 2, normalized("sb")),
    Case("four-blobs", "BN", IMAGE, ((1, 4, 1, 1),) * 4, normalized("sbmv", 0.01), "bn_param { eps: 0.01 }"),
    Case("four-blobs", "SyncBN", IMAGE, ((1, 4),) * 4, normalized("sbmv")),
)  # fmt: skip
ARRAYS = {
    "CenterLoss": {"centers": (3, 5)},
    "ChannelScale": {"scale": (1,)},
    "InnerDistance": {"centers": (3, 5)},
    "LayerNorm": {"gamma": (4,), "beta": (4,)},
    "Local": {"kernel": (3, 1, 8, 30), "bias": (1, 1, 3, 30)},
    "MovingNormalize": {"scale": (1,)},
    "MultiStageMeanfield": dict.fromkeys(("spatial_weights", "bilateral_weights", "compatibility"), (1, 1, 3, 3)),
}
"""Types that no layer of Keras computes: their arrays, as stored."""


def random_arrays(case: Case) -> list[Array]:
    """Positive, as variances and factors must be, and masks at the end."""
    random = np.random.default_rng(len(case.id))
    arrays = [random.uniform(0.1, 1.5, shape).astype("f4") for shape in case.blobs]
    if case.type.endswith("MarginInnerProduct"):
        arrays = [array / np.linalg.norm(array, axis=1, keepdims=True) for array in arrays]
    first_mask = len(arrays) - case.masks
    return [
        array if number < first_mask else (random.random(array.shape) < 0.6).astype("f4")
        for number, array in enumerate(arrays)
    ]


@pytest.mark.parametrize("keras_name", KERAS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.type}-{case.id}")
def test_computes_its_definition(tmp_path: Path, keras_name: str, case: Case) -> None:
    keras = pytest.importorskip(keras_name)
    blobs = random_arrays(case)
    layers = Layers(convert(one_layer(tmp_path, case.type, case.param, case.bottom, blobs), **case.options), tmp_path)
    x = np.random.default_rng(7).normal(size=case.bottom).astype("f4")
    model = layers.load_into(chain(keras, layers.of["it"], np.moveaxis(x, 1, -1).shape[1:]))
    assert_close(model(np.moveaxis(x, 1, -1)), np.moveaxis(case.formula(x, *blobs), 1, -1))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.type}-{case.id}")
def test_no_transposed_convolution_is_asked_for_dilation(tmp_path: Path, case: Case) -> None:
    """TensorFlow computes none on a CPU without oneDNN."""
    blobs = random_arrays(case)
    layers = Layers(convert(one_layer(tmp_path, case.type, case.param, case.bottom, blobs), **case.options), tmp_path)
    (described,) = layers.of["it"]
    keras, notes = described["keras"], [note["text"] for note in described["notes"]]
    transposed = keras["class_name"].endswith("Transpose")
    assert not (transposed and "dilation_rate" in keras["arguments"])
    assert any("zeros between the taps" in note for note in notes) == (transposed and "dilation" in case.id)


@pytest.mark.parametrize("keras_name", KERAS)
def test_the_older_lstm(tmp_path: Path, keras_name: str) -> None:
    keras = pytest.importorskip(keras_name)
    random = np.random.default_rng(3)
    blobs = [random.normal(0, 0.5, shape).astype("f4") for shape in ((8, 3), (8, 2), (8,))]
    param = "lstm_param { num_output: 2 }"
    layers = Layers(convert(one_layer(tmp_path, "Lstm", param, (6, 2, 3), blobs)), tmp_path)
    x = random.normal(size=(6, 2, 3)).astype("f4")
    model = layers.load_into(chain(keras, layers.of["it"], (6, 3)))
    assert_close(model(x.swapaxes(0, 1)), naive.lstm(x, *blobs).swapaxes(0, 1), 1e-4)


@pytest.mark.parametrize("shared", [False, True])
def test_normalize_with_its_array(tmp_path: Path, shared: bool) -> None:
    random = np.random.default_rng(5)
    x, scale = random.normal(size=IMAGE), random.uniform(5, 20, () if shared else 4).astype("f4")
    param = f"norm_param {{ across_spatial: false channel_shared: {str(shared).lower()} }}"
    (layer,) = convert(one_layer(tmp_path, "Normalize", param, IMAGE, [scale])).layers
    (gamma,) = layer.weights
    assert (layer.keras, gamma.name, gamma.shape) == (None, "gamma", (4,))
    expected = x / np.sqrt((x**2).sum(axis=1, keepdims=True)) * (scale if shared else scale.reshape(4, 1, 1))
    image = np.moveaxis(x, 1, -1)
    assert_close(image / np.linalg.norm(image, axis=-1, keepdims=True) * gamma.array, np.moveaxis(expected, 1, -1))


@pytest.mark.parametrize("type_name", ARRAYS)
def test_named_and_as_stored(tmp_path: Path, type_name: str) -> None:
    blobs = [np.random.default_rng(1).random(shape, np.float32) for shape in ARRAYS[type_name].values()]
    result = convert(one_layer(tmp_path, type_name, "", (2, 5), blobs))
    (layer,) = result.layers
    assert (layer.keras, [weight.name for weight in layer.weights]) == (None, list(ARRAYS[type_name]))
    for weight, blob in zip(layer.weights, blobs, strict=True):
        np.testing.assert_array_equal(weight.array, blob, strict=True)
    # Local wants an image; its arrays are what counts here.
    assert [note.text for note in result.notes if note.level == "warning" and "axes, expected" not in note.text] == [
        f"Keras has no layer for {type_name}: its arrays are as stored, in Caffe's order of axes"
    ]


def test_every_row_that_caffe_cannot_run_has_a_case() -> None:
    known = set(json.loads((FIXTURES / "MANIFEST.json").read_text())["versions"]["layer_types"])
    proven = {case.type for case in CASES} | set(ARRAYS) | {"Lstm", "Normalize"}
    assert set(RULES) - known <= proven
