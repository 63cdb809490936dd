"""Poolings, built in Keras as the graph says: Caffe's sizes and Caffe's values, of numbers below zero, too."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from caffeconv.keras.assembling import assembled
from caffeconv.keras.building import Options
from caffeconv.keras.conversion import convert
from caffeconv.keras.graph import Model
from caffeconv.model import Array, Net
from caffeconv.net.loading import load_net
from tests.support.caffe_runs import listing
from tests.support.described_models import assert_close
from tests.support.graph_runs import blobs, computed
from tests.support.layer_cases import assert_computes
from tests.support.net_builder import input_text, layer_text, net_of
from tests.support.places import FIXTURES, SHARED

NEGATIVE = sorted((SHARED / "cases" / "nets").glob("pool_negative__*"))
LOWEST = -np.finfo(np.float32).max
Sizes = Sequence[int]


def pooled_sizes(sizes: Sizes, kernel: Sizes, stride: Sizes, pad: Sizes, ceil: bool) -> list[int]:
    """`PoolingLayer::Reshape`: with padding on any axis, a last window that starts beyond the image is dropped."""
    pooled = []
    for size, k, s, p in zip(sizes, kernel, stride, pad, strict=True):
        room = (size + 2 * p - k) / s
        count = (math.ceil(room) if ceil else math.floor(room)) + 1
        if any(pad) and (count - 1) * s >= size + p:
            count -= 1
        pooled.append(count)
    return pooled


def naive_pooling(x: Array, method: str, kernel: Sizes, stride: Sizes, pad: Sizes, ceil: bool = True) -> Array:
    """`PoolingLayer::Forward_cpu`: windows are clipped to the image, but those of a mean count what is padded.

    A mean over no values is NaN, as it is in Caffe; a maximum over none is the lowest number.
    """
    sizes = x.shape[2:]
    pooled = np.zeros((*x.shape[:2], *pooled_sizes(sizes, kernel, stride, pad, ceil)))
    for place in np.ndindex(pooled.shape[2:]):
        starts = [at * s - p for at, s, p in zip(place, stride, pad, strict=True)]
        ends = [min(start + k, size + p) for start, k, size, p in zip(starts, kernel, sizes, pad, strict=True)]
        count = math.prod(end - start for start, end in zip(starts, ends, strict=True))
        inside = x[
            (slice(None), slice(None), *(slice(max(start, 0), end) for start, end in zip(starts, ends, strict=True)))
        ].reshape(*x.shape[:2], -1)
        count = inside.shape[-1] if method in ("AVE_EXC_PAD", "AVE_TF") else count
        mean = inside.sum(-1) / count if count else np.nan
        pooled[(slice(None), slice(None), *place)] = inside.max(-1, initial=LOWEST) if method == "MAX" else mean
    return pooled


def pooling(method: str, kernel: Sizes, stride: Sizes, pad: Sizes, ceil: bool = True) -> str:
    """A layer "it" over "data"."""
    numbers = {"kernel": kernel, "stride": stride, "pad": pad}
    words = [
        f"{name}_{axis}: {value}" for name, values in numbers.items() for axis, value in zip("hw", values, strict=True)
    ]
    rounding = "" if ceil else "round_mode: FLOOR"
    return layer_text("it", "Pooling", "data", more=f"pooling_param {{ pool: {method} {' '.join(words)} {rounding} }}")


def in_keras(keras: ModuleType, net: Net, x: Array, index: int = -1) -> Array:
    """The first top of a layer, as the graph computes it."""
    model = assembled(net, Options())
    assert problems(model) == []
    return blobs(model, computed(keras, model, {"data": x}))[index % len(net.layers), 0]


def problems(model: Model) -> list[str]:
    return [node.problem for node in model.nodes if node.problem is not None]


def assert_pools(keras: ModuleType, net: Net, x: Array, expected: Array, what: object) -> None:
    got = in_keras(keras, net, x)
    assert got.shape == expected.shape, what
    meant = ~np.isnan(expected)  # Caffe has no number either
    np.testing.assert_allclose(got[meant], expected[meant], rtol=1e-5, atol=1e-5, err_msg=str(what))


def below_zero(*shape: int) -> Array:
    return (np.random.default_rng(1).normal(size=shape) - 3).astype(np.float32)


SIZES = ((7, 8), (10, 9), (5, 6))
SETTINGS = [
    (kernel, stride, pad)
    for kernel, stride, pad in itertools.product(range(1, 6), range(1, 5), range(3))
    if pad < kernel
]
KNOWN = [pytest.param(True, id="known-size"), pytest.param(False, id="any-size")]


def image(known: bool, *shape: int) -> str:
    """Where the size is not known, the layers must do for any."""
    return input_text("data", *shape) if known else layer_text("data", "Data", tops="data")


@pytest.mark.parametrize("known", KNOWN)
@pytest.mark.parametrize("method", ["MAX", "AVE", "AVE_EXC_PAD"])
def test_every_window(keras: ModuleType, method: str, known: bool) -> None:
    for (kernel, stride, pad), sizes, ceil in itertools.product(SETTINGS, SIZES if known else SIZES[:2], (True, False)):
        x = below_zero(1, 2, *sizes)
        window = ((kernel,) * 2, (stride,) * 2, (pad,) * 2)
        net = net_of(image(known, *x.shape) + pooling(method, *window, ceil))
        assert_pools(keras, net, x, naive_pooling(x, method, *window, ceil), (*window, sizes, ceil))


def uneven_windows() -> Iterator[tuple[tuple[Sizes, Sizes, Sizes], Sizes, bool]]:
    """Others along the height than along the width: what is padded along one is clipped along both."""
    random = np.random.default_rng(2)
    for _ in range(150):
        (first, second) = (SETTINGS[each] for each in random.integers(len(SETTINGS), size=2))
        kernel, stride, pad = zip(first, second, strict=True)
        yield (kernel, stride, pad), SIZES[random.integers(3)], bool(random.integers(2))


@pytest.mark.parametrize("known", KNOWN)
@pytest.mark.parametrize("method", ["MAX", "AVE", "AVE_EXC_PAD", "AVE_TF"])
def test_uneven_windows(keras: ModuleType, method: str, known: bool) -> None:
    for window, sizes, ceil in uneven_windows():
        x = below_zero(1, 2, *sizes)
        net = net_of(image(known, *x.shape) + pooling(method, *window, ceil))
        assert_pools(keras, net, x, naive_pooling(x, method, *window, ceil), (*window, sizes, ceil))


@pytest.mark.parametrize("method", ["MAX", "AVE"])
@pytest.mark.parametrize(("kernel", "stride"), [(2, 2), (3, 2), (3, 1), (2, 3)])
def test_over_time(keras: ModuleType, method: str, kernel: int, stride: int) -> None:
    """C3D's Pooling3D: sizes are rounded up, and the last window may stick out."""
    x = below_zero(1, 2, 4, 7, 6)
    words = f"kernel_size: {kernel} kernel_depth: 2 stride: {stride} temporal_stride: 2"
    param = f"pooling3d_param {{ pool: {method} {words} }}"
    net = net_of(input_text("data", *x.shape) + layer_text("it", "Pooling3D", "data", more=param))
    window = ((2, kernel, kernel), (2, stride, stride), (0, 0, 0))
    assert_pools(keras, net, x, naive_pooling(x, method, *window), window)


@pytest.mark.parametrize("method", ["MAX", "AVE"])
@pytest.mark.parametrize("height", [1, 2, 3])
def test_pyramids(keras: ModuleType, method: str, height: int) -> None:
    """`spp_layer.cpp`: bins of ⌈size / bins⌉, and half of what they have too much as padding, rounded up."""
    x = below_zero(2, 3, 9, 7)
    param = f"spp_param {{ pool: {method} pyramid_height: {height} }}"
    net = net_of(input_text("data", *x.shape) + layer_text("it", "SPP", "data", more=param))
    levels = []
    for bins in (1, 2, 4)[:height]:
        kernel = [-(-size // bins) for size in x.shape[2:]]
        pad = [(k * bins - size + 1) // 2 for k, size in zip(kernel, x.shape[2:], strict=True)]
        levels.append(naive_pooling(x, method, kernel, kernel, pad))
        assert levels[-1].shape[2:] == (bins, bins)
    expected = levels[0] if height == 1 else np.concatenate([level.reshape(2, -1) for level in levels], axis=1)
    assert_pools(keras, net, x, expected, height)


@pytest.mark.parametrize("folder", NEGATIVE, ids=lambda folder: folder.name)
def test_real_caffes_numbers(keras: ModuleType, folder: Path) -> None:
    net = load_net(folder / "net.prototxt", folder / "net.caffemodel")
    with np.load(folder / "truth.npz") as truth:
        got = in_keras(keras, net, truth["in|data"], [layer.name for layer in net.layers].index("p"))
        assert_close(got, truth["out|p"])


SPELLINGS = {layer["name"]: layer for layer in listing("pooling_spellings") if layer["type"] == "Pooling"}
WINDOWS = {
    "default_stride": ("MAX", (3, 3), (1, 1), (0, 0), True),
    "ceil_by_default": ("MAX", (3, 3), (2, 2), (0, 0), True),
    "ceil": ("MAX", (2, 2), (2, 2), (0, 0), True),
    "floor": ("MAX", (2, 2), (2, 2), (0, 0), False),
    "clipped": ("MAX", (2, 2), (3, 3), (1, 1), True),
    "clipped_width": ("AVE", (3, 3), (4, 4), (2, 2), True),
    "floor_padded": ("MAX", (2, 2), (3, 3), (1, 1), False),
    "stride_beyond_kernel": ("MAX", (1, 1), (4, 4), (0, 0), True),
    "height_width": ("AVE", (3, 2), (2, 3), (1, 0), True),
    "pad_width_alone": ("MAX", (3, 4), (3, 3), (0, 3), True),
    "average": ("AVE", (3, 3), (2, 2), (1, 1), True),
    "global": ("AVE", (8, 11), (1, 1), (0, 0), True),
    "global_max": ("MAX", (8, 11), (1, 1), (0, 0), True),
    "with_mask": ("MAX", (3, 3), (2, 2), (0, 0), True),
}
"""The layers of the fixture, as a person reads them."""


def test_every_spelling_is_there() -> None:
    assert set(SPELLINGS) == set(WINDOWS) | {"stochastic"}


def test_spellings(keras: ModuleType) -> None:
    """Sizes are those that real Caffe says."""
    net = load_net(FIXTURES / "pooling_spellings" / "net.prototxt")
    model = assembled(net, Options())
    x = below_zero(*SPELLINGS["ceil"]["bottoms"][0][1])
    made = blobs(model, computed(keras, model, {"data": x}))
    by_name = {net.layers[layer].name: value for (layer, top), value in made.items() if not top}
    for name, window in WINDOWS.items():
        assert list(by_name[name].shape) == SPELLINGS[name]["tops"][0][1], name
        expected = naive_pooling(x, *window)
        np.testing.assert_allclose(by_name[name], expected, rtol=1e-5, err_msg=name)
    assert [node.name for node in model.nodes if node.problem] == []


def test_stochastic_pooling_weighs_values_by_themselves(keras: ModuleType) -> None:
    """What it does when it is not trained: Σx² / Σx over the part of a window that is inside (`pooling_layer.cu`)."""
    net = load_net(FIXTURES / "pooling_spellings" / "net.prototxt")
    model = assembled(net, Options())
    x = -below_zero(*SPELLINGS["stochastic"]["bottoms"][0][1]) + 2
    index = [layer.name for layer in net.layers].index("stochastic")
    got = blobs(model, computed(keras, model, {"data": x}))[index, 0]
    assert list(got.shape) == SPELLINGS["stochastic"]["tops"][0][1]
    means = [naive_pooling(values.astype(float), "AVE", (3, 3), (2, 2), (0, 0)) for values in (x**2, x)]
    assert_close(got, means[0] / means[1])


@pytest.mark.parametrize("whole", [False, True])
def test_stochastic_pooling_of_nothing_above_zero(keras: ModuleType, whole: bool) -> None:
    """It gives 0 there (`pooling_layer.cu`: StoPoolForwardTest), as behind a ReLU."""
    x = np.maximum(-below_zero(2, 3, 6, 8) - 1, 0)
    x[:, :, :4] = 0
    x[1, 2] = 0
    window = ((6, 8), (1, 1)) if whole else ((2, 2), (2, 2))
    words = "global_pooling: true" if whole else "kernel_size: 2 stride: 2"
    net = net_of(
        input_text("data", *x.shape)
        + layer_text("it", "Pooling", "data", more=f"pooling_param {{ pool: STOCHASTIC {words} }}")
    )
    squares, sums = (naive_pooling(each.astype(float), "AVE", *window, (0, 0)) for each in (x**2, x))
    expected = np.divide(squares, sums, out=np.zeros_like(sums), where=sums > 0)
    assert 0 < (expected == 0).sum() < expected.size
    assert_close(in_keras(keras, net, x, 1), expected)


def test_real_caffes_sizes_of_more_nets() -> None:
    """The formula of sizes above is Caffe's: every pooling of the fixtures."""
    seen = 0
    for path in FIXTURES.glob("*/caffe.json"):
        net = {layer.name: layer for layer in load_net(path.parent / "net.prototxt").layers}
        for layer in json.loads(path.read_text())["layers"]:
            param = net[layer["name"]].param.pooling_param if layer["name"] in net else None
            if layer["type"] != "Pooling" or param is None or param.global_pooling or not param.kernel_size:
                continue
            sizes = layer["bottoms"][0][1][2:]
            pads = (param.pad_h or param.pad, param.pad_w or param.pad)
            window = ([param.kernel_size] * 2, [param.stride] * 2, pads)
            assert pooled_sizes(sizes, *window, param.round_mode == 0) == layer["tops"][0][1][2:], path
            seen += 1
    assert seen > 10


def test_a_window_that_is_not_known_is_no_reason_to_stop() -> None:
    """A fork gives it in words of its own, over maps of a shape that only its own data layer knows."""
    model = assembled(net_of(layer_text("pool", "Pooling", "x", more="pooling_param { pool: MAX }")), Options())
    assert problems(model) == ["its window is not known: kernel_size is not given"]


@pytest.mark.parametrize("form", ["py", "keras"])
def test_means_of_what_is_inside_in_files(form: str, tmp_path: Path) -> None:
    x = below_zero(2, 3, 8, 9)
    window = ((3, 3), (2, 3), (1, 2))
    net = net_of(input_text("data", *x.shape) + pooling("AVE_EXC_PAD", *window))
    assert_computes(net, {"data": x}, {"it": naive_pooling(x, "AVE_EXC_PAD", *window)}, tmp_path, form)


@pytest.mark.parametrize("method", ["MDS", "DEF", "LOWRES"])
def test_a_method_of_a_fork_is_told(method: str) -> None:
    net = net_of(input_text("data", 1, 2, 6, 6) + pooling(method, (2, 2), (2, 2), (0, 0)))
    assert [f"pool: {method} " in str(n) for n in convert(net).notes if n.layer == "it"] == [True]
