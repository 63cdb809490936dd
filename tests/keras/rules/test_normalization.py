"""Normalizations, and each Scale that is fused into one."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from caffeconv.keras.assembling import assembled
from caffeconv.keras.building import Options
from caffeconv.keras.conversion import convert
from caffeconv.model import Array, KerasCall
from tests.support import caffe_cases, formula_cases
from tests.support import naive_layers as naive
from tests.support.caffe_cases import by_feature, in_caffes_order
from tests.support.described_models import assert_close, one_layer
from tests.support.formula_cases import IMAGE, Case, Formula
from tests.support.graph_runs import blobs, computed
from tests.support.layer_cases import Case as LayerCase
from tests.support.layer_cases import definition_tests
from tests.support.naive_forks import layer_norm
from tests.support.naive_forks import moving_normalize as naive_moving
from tests.support.net_builder import input_text, layer_text, net_of

CAFFE = caffe_cases.learned(
    "BatchNorm",
    orders={
        "flattened_features/norm": by_feature((4, 2, 3)),
        "flattened_features/norm_alone": by_feature((4, 2, 3)),
        "flattened_features/rows_norm": in_caffes_order,
        "over_batch/of_batch": in_caffes_order,
        "over_batch/of_batch_scaled": in_caffes_order,
    },
    by_batch={
        "over_batch/of_batch",
        "over_batch/of_batch_scaled",
        "batch_statistics/of_batch",
        "batch_statistics/of_batch_scaled",
        "batch_statistics/of_vectors",
    },
)


def normalized(order: str, epsilon: float = 1e-5) -> Formula:
    """`order` names the blobs: mean, variance, factor, scale, shift, or - for what means nothing."""

    def compute(x: Array, *blobs: Array) -> Array:
        held = {letter: blob.reshape(-1) for letter, blob in zip(order, blobs, strict=True)}
        factor = held.get("f", np.ones(1))
        ones, zeros = np.ones(x.shape[1]), np.zeros(x.shape[1])
        mean, variance = held.get("m", zeros) / factor, held.get("v", ones - epsilon) / factor
        return naive.normalization(x, mean, variance, held.get("s", ones), held.get("b", zeros), epsilon)

    return compute


def epsilon_outside(epsilon: float) -> Formula:
    """Synopsys' `add_eps_before_sqrt: false`: (x - mean) / (√variance + ε)."""

    def compute(x: Array, mean: Array, variance: Array, factor: Array) -> Array:
        at = (1, -1, *[1] * (x.ndim - 2))
        result: Array = (x - (mean / factor).reshape(at)) / (np.sqrt(variance / factor).reshape(at) + epsilon)
        return result

    return compute


def of_batch(x: Array, scale: Array, shift: Array, *_: Array, epsilon: float = 1e-5) -> Array:
    """Normalized by the mean and variance of the batch itself."""
    axes = (0, *range(2, x.ndim))
    return naive.normalization(x, x.mean(axes), x.var(axes), scale.ravel(), shift.ravel(), epsilon)


CHANNELS = ((4,), (4,), (4,), (4,))
FORMULAS = (
    Case("folded", "BatchNorm", IMAGE, CHANNELS[:2], normalized("sb")),
    Case("without-shift", "BatchNorm", IMAGE, ((4,), (4,), (1,), (4,)), normalized("mvfs")),
    Case("statistics-last", "BatchNorm", IMAGE, CHANNELS, normalized("sbmv", 1e-3), "batch_norm_param { eps: 0.001 }"),
    Case("digits", "BatchNorm", IMAGE, (*CHANNELS, (1,)), normalized("sbmv-")),
    Case("cudnn", "BatchNorm", IMAGE, (*((1, 4, 1, 1),) * 2, (1,), *((1, 4, 1, 1),) * 2), normalized("sb-mv")),
    Case("factor-amid", "BatchNorm", IMAGE, ((4,), (4,), (1,), (4,), (4,)), normalized("mvfsb")),
    Case(
        "eps-outside",
        "BatchNorm",
        IMAGE,
        ((4,), (4,), (1,)),
        epsilon_outside(0.25),
        "batch_norm_param { eps: 0.25 add_eps_before_sqrt: false }",
    ),
    Case(
        "rectified",
        "BatchNorm",
        IMAGE,
        ((4,), (4,), (1,)),
        lambda *arrays: np.maximum(normalized("mvf")(*arrays), 0),
        "batch_norm_param { relu: true }",
    ),
    Case("two-blobs", "BN", IMAGE, ((1, 4, 1, 1),) * 2, normalized("sb")),
    Case("four-blobs", "BN", IMAGE, ((1, 4, 1, 1),) * 4, normalized("sbmv", 0.01), "bn_param { eps: 0.01 }"),
    Case("four-blobs", "SyncBN", IMAGE, ((1, 4),) * 4, normalized("sbmv")),
)
CASES = {
    "layer-norm": LayerCase("LayerNorm", "", ((2, 3, 4, 5),), layer_norm(1e-5), ((3, 4, 5),) * 2),
    "layer-norm-eps": LayerCase(
        "LayerNorm", "layer_norm_param { eps: 0.25 }", ((2, 6),), layer_norm(0.25), ((6,),) * 2
    ),
    "layer-norm-alone": LayerCase(
        "LayerNorm", "layer_norm_param { elementwise_affine: false epsilon: 0.125 }", ((2, 3, 4, 5),), layer_norm(0.125)
    ),
    "moving": LayerCase("MovingNormalize", "", ((4, 6),), naive_moving, ((1,),), tops=2, positive=True),
    "moving-pixels": LayerCase(
        "MovingNormalize", "", ((4, 6, 1, 1),), lambda x, s: naive_moving(x, s)[0], ((1,),), positive=True
    ),
    "moving-first": LayerCase(
        "MovingNormalize", "", ((4, 6),), naive_moving, tops=2, arrays=(np.array([-1], np.float32),)
    ),
}  # fmt: skip
BY_ITSELF = {"LayerNorm", "MovingNormalize", "Normalize"}

TestDefinitions = definition_tests(CASES)

test_computes_what_caffe_computes = caffe_cases.computes_what_caffe_computes(CAFFE)
test_computes_its_definition = formula_cases.computes_its_definition(FORMULAS)


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("across", [False, True])
def test_normalize_with_its_array(tmp_path: Path, keras: ModuleType, shared: bool, across: bool) -> None:
    """SSD's `normalize_layer.cpp`: each pixel, or the whole sample, divided by its norm, times a scale a channel."""
    random = np.random.default_rng(5)
    x, scale = random.normal(size=IMAGE).astype("f4"), random.uniform(5, 20, () if shared else 4).astype("f4")
    words = (
        f"{name}: {str(value).lower()}" for name, value in (("across_spatial", across), ("channel_shared", shared))
    )
    net = one_layer(tmp_path, "Normalize", f"norm_param {{ {' '.join(words)} }}", IMAGE, [scale])
    result = convert(net)
    (layer,) = result.layers
    (gamma,) = layer.weights
    assert layer.keras == KerasCall("Normalize", (("across_spatial", across), ("eps", 1e-10)))
    assert (gamma.name, gamma.shape, layer.before, layer.after) == ("gamma", (4,), (), ())
    assert [note for note in result.notes if note.level == "warning"] == []
    squares = (x.astype(float) ** 2).sum((1, 2, 3) if across else 1, keepdims=True)
    expected = x / np.sqrt(squares + 1e-10) * (scale if shared else scale.reshape(4, 1, 1))
    model = assembled(net, Options())
    assert_close(blobs(model, computed(keras, model, {"data": x}))[1, 0], expected)


LEARNING = {
    "two-blobs": LayerCase(
        "BN", "bn_param { bn_mode: LEARN eps: 0.125 }", (IMAGE,), functools.partial(of_batch, epsilon=0.125),
        ((1, 4, 1, 1),) * 2,
    ),
    "four-blobs": LayerCase("BN", "bn_param { bn_mode: LEARN }", (IMAGE,), of_batch, ((4,),) * 4, positive=True),
    "synchronous": LayerCase(
        "SyncBN", "batch_norm_param { use_global_stats: false }", (IMAGE,), of_batch, ((4,),) * 4, positive=True
    ),
}  # fmt: skip
TestLearning = definition_tests(LEARNING, in_graph=False)


def warnings_of(text: str, blobs: Sequence[Array]) -> list[str]:
    net = net_of(input_text("data", *IMAGE) + text, [("it", blobs)])
    return [note.text for note in convert(net).notes if note.level == "warning"]


@pytest.mark.parametrize(
    ("type_name", "param", "blobs", "word"),
    [
        pytest.param("BN", "bn_param { bn_mode: LEARN }", 2, "bn_mode", id="learning-alone"),
        pytest.param("BN", "bn_param { bn_mode: LEARN }", 4, "bn_mode", id="learning"),
        pytest.param("SyncBN", "batch_norm_param { use_global_stats: false }", 4, "use_global_stats", id="batches"),
        pytest.param("BatchNorm", "batch_norm_param { relu: true }", 3, "relu", id="rectified"),
        pytest.param("BatchNorm", "batch_norm_param { scale_bias: true }", 3, "scale_bias", id="nothing-to-scale-by"),
    ],
)
def test_a_switch_is_told(type_name: str, param: str, blobs: int, word: str) -> None:
    arrays = [np.ones(4 if number != 2 or blobs > 3 else 1, np.float32) for number in range(blobs)]
    (warning,) = warnings_of(layer_text("it", type_name, "data", more=param), arrays)
    assert word in warning


@pytest.mark.parametrize(
    ("type_name", "param", "blobs"),
    [
        pytest.param("BatchNorm", "batch_norm_param { relu: false scale_bias: false }", 3, id="as-they-are"),
        pytest.param("BatchNorm", "batch_norm_param { scale_bias: true }", 5, id="scaled"),
        pytest.param("BN", "bn_param { bn_mode: INFERENCE }", 4, id="inference"),
        pytest.param("BN", "", 4, id="without-modes"),
    ],
)
def test_what_changes_nothing_is_not_told(type_name: str, param: str, blobs: int) -> None:
    arrays = [np.ones(1 if number == 2 and type_name == "BatchNorm" else 4, np.float32) for number in range(blobs)]
    assert warnings_of(layer_text("it", type_name, "data", more=param), arrays) == []


def test_no_scale_is_fused_behind_a_rectifier(keras: ModuleType) -> None:
    """max(x̂, 0)·γ, which no factors in the BatchNormalization can be."""
    text = input_text("data", *IMAGE) + layer_text("norm", "BatchNorm", "data", more="batch_norm_param { relu: true }")
    mean, variance, factor = np.full(4, 0.5, "f4"), np.full(4, 2, "f4"), np.ones(1, "f4")
    gamma = np.array([-1, 2, -3, 4], "f4")
    net = net_of(text + layer_text("scale", "Scale", "norm"), [("norm", [mean, variance, factor]), ("scale", [gamma])])
    x = np.random.default_rng(3).normal(size=IMAGE).astype("f4")
    model = assembled(net, Options())
    expected = np.maximum(normalized("mvf")(x, mean, variance, factor), 0) * gamma.reshape(4, 1, 1)
    assert_close(blobs(model, computed(keras, model, {"data": x}))[2, 0], expected)


@pytest.mark.parametrize(
    ("type_name", "param", "words"),
    [
        pytest.param("MVN", "", "pixels of each channel and divided", id="mvn"),
        pytest.param("MVN", "mvn_param { normalize_variance: false }", "pixels of each channel", id="mvn-mean"),
        pytest.param("MVN", "mvn_param { across_channels: true }", "across_channels", id="mvn-across"),
        pytest.param("LRN", "lrn_param { local_size: 3 }", "3 neighbouring channels", id="lrn"),
        pytest.param(
            "LRN", "lrn_param { local_size: 3 norm_region: WITHIN_CHANNEL }", "3×3 pixels of each channel", id="within"
        ),
    ],
)
def test_notes_follow_the_region(type_name: str, param: str, words: str) -> None:
    net = net_of(input_text("data", *IMAGE) + layer_text("it", type_name, "data", more=param))
    assert [words in note.text for note in convert(net).notes if note.layer == "it"] == [True]
