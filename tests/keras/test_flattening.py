"""What stands behind flattened maps: Keras' kernel on Keras' order of the features gives what Caffe's gives on Caffe's.

Each case computes the features twice in plain NumPy: from maps (N, C, axes…) as Caffe would, and from the same maps
as (N, axes…, C) as a Keras model would. The products with Caffe's W and with the converted kernel must be equal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pytest

from caffeconv.errors import MismatchError
from caffeconv.keras.assembling import assembled
from caffeconv.keras.building import Options
from caffeconv.keras.conversion import convert
from caffeconv.model import whole
from tests.support.described_models import assert_close
from tests.support.graph_runs import blobs, computed
from tests.support.net_builder import filled, input_text, layer_text, net_of, values

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from caffeconv.model import Net, Result

Array = npt.NDArray[Any]

DENSE = "inner_product_param { num_output: 5 }"
MAPS = (2, 3, 4, 6)
X = np.random.default_rng(7).integers(-9, 10, MAPS).astype(np.float64)
V = np.random.default_rng(8).integers(-9, 10, (2, 72)).astype(np.float64)


def last(maps: Array) -> Array:
    """(N, C, axes…) -> (N, axes…, C)."""
    return np.moveaxis(maps, 1, -1)


def rows(maps: Array) -> Array:
    return maps.reshape(len(maps), -1)


def pooled(maps: Array, size: int) -> Array:
    """Maxima of the size×size bins of SPP; the sides are multiples of size."""
    n, c, h, w = maps.shape
    maxima: Array = maps.reshape(n, c, size, h // size, size, w // size).max((3, 5))
    return maxima


def dense_of(result: Result, name: str = "fc") -> Array:
    layer = next(layer for layer in result.layers if layer.name == name)
    assert layer.keras is not None
    assert layer.keras.class_name == "Dense"
    return layer.weights[0].array.astype(np.float64)


def stored_of(net: Any, name: str = "fc", blob: int = 0) -> Array:
    array: Array = next(layer for layer in net.layers if layer.name == name).blobs[blob].array
    return array.astype(np.float64)


def said(result: Result) -> list[tuple[str, str]]:
    """What is said about the layer `fc`: level, and what it comes to."""
    kinds = {
        "kernel rows reordered": "reordered",
        "the order of its inputs cannot be known": "not known",
        AS_IN_CAFFE: "as in Caffe",
    }
    about = [note for note in result.notes if note.layer == "fc"]
    return [(note.level, next((kinds[key] for key in kinds if note.text.startswith(key)), note.text)) for note in about]


AS_IN_CAFFE = "its arrays are in Caffe's order of axes"
DATA = input_text("data", *MAPS)
FC = layer_text("fc", "InnerProduct", "x", more=DENSE)
CHANNELS_LAST = "permute_param { order: 0 order: 2 order: 3 order: 1 }"
REORDERED = [("info", "reordered")]
OTHER_NUMBERS = ("InnerProduct", "Convolution", "ReLU", "Softmax")
"""Types whose tops hold other numbers than the maps that a path is given."""


def reshape(*dims: int, more: str = "") -> str:
    return f"reshape_param {{ shape {{ {' '.join(f'dim: {dim}' for dim in dims)} }} {more} }}"


PATHS = [
    pytest.param(layer_text("x", "ReLU", "data"), X, rows, lambda k: rows(k), REORDERED, id="maps"),
    pytest.param(layer_text("x", "Flatten", "data"), X, rows, lambda k: rows(k), REORDERED, id="flatten"),
    pytest.param(
        layer_text("x", "Reshape", "data", more=reshape(0, -1)), X, rows, lambda k: rows(k), REORDERED, id="reshape"
    ),
    pytest.param(
        layer_text("x", "Reshape", "data", more=reshape(2, 72)), X, rows, lambda k: rows(k), REORDERED, id="sizes"
    ),
    pytest.param(
        layer_text("x", "Flatten", "data", more="flatten_param { axis: 2 }"),
        X, rows, lambda k: rows(k.reshape(2, 24, 3)), REORDERED, id="flatten-the-pixels",
    ),
    pytest.param(
        layer_text("one", "Flatten", "data", more="flatten_param { axis: 2 }") + layer_text("x", "Flatten", "one"),
        X, rows, lambda k: rows(k), REORDERED, id="flatten-in-two-steps",
    ),
    pytest.param(
        layer_text("x", "Slice", "data", "rest x", "slice_param { slice_point: 1 }"),
        X, lambda c: rows(c[:, 1:]), lambda k: rows(k[..., 1:]), REORDERED, id="some-channels",
    ),
    pytest.param(
        layer_text("x", "Concat", "data data"),
        X, lambda c: rows(np.concatenate([c, c * c], 1)) * 0 + rows(np.concatenate([c, c], 1)),
        lambda k: rows(np.concatenate([k, k], -1)), REORDERED, id="joined-channels",
    ),
    pytest.param(
        layer_text("f", "Flatten", "data")
        + layer_text("half", "Slice", "data", "h rest", "slice_param { slice_point: 2 }")
        + layer_text("g", "Flatten", "h")
        + layer_text("x", "Concat", "f g"),
        X, lambda c: np.concatenate([rows(c), rows(c[:, :2])], 1),
        lambda k: np.concatenate([rows(k), rows(k[..., :2])], 1), REORDERED, id="joined-vectors",
    ),
    pytest.param(
        input_text("v", 2, 7)
        + layer_text("f", "Flatten", "data")
        + layer_text("x", "Concat", "f v", more="concat_param { axis: -1 }"),
        X, lambda c: np.concatenate([rows(c), rows(c)[:, :7]], 1),
        lambda k: np.concatenate([rows(k), rows(np.moveaxis(k, -1, 1))[:, :7]], 1), REORDERED, id="and-a-vector",
    ),
    pytest.param(
        layer_text("x", "SPP", "data", more="spp_param { pyramid_height: 2 }"),
        X, lambda c: np.concatenate([rows(pooled(c, 1)), rows(pooled(c, 2))], 1),
        lambda k: np.concatenate([rows(last(pooled(np.moveaxis(k, -1, 1), size))) for size in (1, 2)], 1),
        REORDERED, id="pyramid",
    ),
    pytest.param(
        layer_text("x", "Pooling", "data", more="pooling_param { global_pooling: true }"),
        X, lambda c: c.max((2, 3)), lambda k: k.max((1, 2)), [], id="global-pooling",
    ),
    pytest.param(
        layer_text("g", "Pooling", "data", more="pooling_param { global_pooling: true }")
        + layer_text("x", "Flatten", "g"),
        X, lambda c: c.max((2, 3)), lambda k: k.max((1, 2)), [], id="global-pooling-flattened",
    ),
    pytest.param(
        layer_text("p", "Permute", "data", more=CHANNELS_LAST)
        + layer_text("x", "Flatten", "p"),
        X, lambda c: rows(last(c)), lambda k: rows(k), [], id="permuted",
    ),
    pytest.param(
        layer_text("f", "Flatten", "data") + layer_text("x", "Softmax", "f"),
        X, rows, lambda k: rows(k), REORDERED, id="an-activation-behind-flatten",
    ),
    pytest.param(
        layer_text("one", "InnerProduct", "data", more="inner_product_param { num_output: 72 }")
        + layer_text("x", "Reshape", "one", more=reshape(0, 3, 4, 6)),
        X, rows, lambda k: rows(k), REORDERED, id="a-vector-made-into-maps",
    ),
    pytest.param(
        layer_text("f", "Flatten", "data") + layer_text("x", "Reshape", "f", more=reshape(0, 3, 4, 6)),
        X, rows, lambda k: rows(k), REORDERED, id="flattened-and-back",
    ),
    pytest.param(
        layer_text("x", "Tile", "data", more="tile_param { tiles: 2 }"),
        X, lambda c: rows(np.concatenate([c, c], 1)), lambda k: rows(np.concatenate([k, k], -1)),
        REORDERED, id="tiled-channels",
    ),
    pytest.param(
        layer_text("f", "Flatten", "data") + layer_text("x", "Tile", "f", more="tile_param { tiles: 2 }"),
        X, lambda c: np.concatenate([rows(c)] * 2, 1), lambda k: np.concatenate([rows(k)] * 2, 1),
        REORDERED, id="tiled-vectors",
    ),
    pytest.param(
        input_text("v", 2, 7) + layer_text("f", "Flatten", "data") + layer_text("both", "Concat", "v f")
        + layer_text("cut", "Slice", "both", "rest x", "slice_param { slice_point: 7 }"),
        X, rows, lambda k: rows(k), REORDERED, id="cut-between-vectors",
    ),
    pytest.param(
        layer_text("f", "Flatten", "data") + layer_text("x", "Concat", "f f", more="concat_param { axis: 0 }"),
        X, lambda c: rows(np.concatenate([c, c])), lambda k: rows(np.concatenate([k, k])),
        REORDERED, id="more-samples",
    ),
    pytest.param(
        input_text("size", 2, 2, 4, 3)
        + layer_text("c", "Convolution", "data", more="convolution_param { num_output: 24 kernel_size: 1 }")
        + layer_text("x", "Crop", "c size", more="crop_param { axis: 1 }"),
        X[:, :2, :, :3], rows, lambda k: rows(k), REORDERED, id="cropped-channels",
    ),
    pytest.param(
        layer_text("x", "Permute", "data", more="permute_param { order: 0 order: 1 order: 3 order: 2 }"),
        X, lambda c: rows(c.swapaxes(2, 3)), lambda k: rows(k.swapaxes(1, 2)), REORDERED, id="turned-images",
    ),
    pytest.param(
        layer_text("x", "Reduction", "data", more="reduction_param { axis: 2 }"),
        X, lambda c: c.sum((2, 3)), lambda k: k.sum((1, 2)), [], id="summed-pixels",
    ),
    pytest.param(
        'layer { name: "i" type: "Input" top: "v" top: "x" input_param '
        "{ shape { dim: 2 dim: 7 } shape { dim: 2 dim: 3 dim: 4 dim: 6 } } }",
        X, rows, lambda k: rows(k), REORDERED, id="second-input-of-one-layer",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("path", "maps", "in_caffe", "in_keras", "notes"), PATHS)
def test_features_meet_their_rows(
    path: str, maps: Array, in_caffe: Callable[[Array], Array], in_keras: Callable[[Array], Array], notes: object
) -> None:
    net = filled(DATA + path + FC)
    result = convert(net)
    expected = in_caffe(maps) @ stored_of(net).T
    np.testing.assert_array_equal(in_keras(last(maps)) @ dense_of(result), expected)
    assert said(result) == notes


def test_three_spatial_axes() -> None:
    maps = np.random.default_rng(1).integers(-9, 10, (2, 3, 2, 4, 5)).astype(np.float64)
    net = filled(input_text("x", *maps.shape) + FC)
    result = convert(net)
    np.testing.assert_array_equal(rows(last(maps)) @ dense_of(result), rows(maps) @ stored_of(net).T)


def test_a_transposed_matrix() -> None:
    net = filled(
        input_text("x", *MAPS) + layer_text("fc", "InnerProduct", "x", more=DENSE.replace("5", "5 transpose: true"))
    )
    np.testing.assert_array_equal(rows(last(X)) @ dense_of(convert(net)), rows(X) @ stored_of(net))


KEPT = (
    "Pooling ReLU PReLU ELU Sigmoid TanH AbsVal Power Exp Log BNLL Clip Swish Threshold Dropout LRN MVN Softmax "
    "BatchNorm Scale Bias Eltwise Split ReLU6"
)


@pytest.mark.parametrize("kind", KEPT.split())
def test_layers_that_keep_the_order(kind: str) -> None:
    """Behind a layer that works in place on maps, the rows move as behind the maps themselves."""
    more = "pooling_param { kernel_size: 2 }" if kind == "Pooling" else ""
    net = filled(DATA + layer_text("x", kind, "data data" if kind == "Eltwise" else "data", more=more) + FC)
    maps = np.random.default_rng(3).integers(-9, 10, whole(net.layers[1].top_shapes[0])).astype(np.float64)
    np.testing.assert_array_equal(rows(last(maps)) @ dense_of(convert(net)), rows(maps) @ stored_of(net).T)


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        pytest.param("Convolution", "convolution_param { num_output: 4 kernel_size: 3 }", id="Convolution"),
        pytest.param("Deconvolution", "convolution_param { num_output: 4 kernel_size: 3 }", id="Deconvolution"),
        pytest.param("Im2col", "convolution_param { kernel_size: 2 }", id="Im2col"),
    ],
)
def test_layers_that_make_maps(kind: str, more: str) -> None:
    net = filled(DATA + layer_text("x", kind, "data", more=more) + FC)
    maps = np.random.default_rng(3).integers(-9, 10, whole(net.layers[1].top_shapes[0])).astype(np.float64)
    assert maps.ndim == 4
    np.testing.assert_array_equal(rows(last(maps)) @ dense_of(convert(net)), rows(maps) @ stored_of(net).T)
    assert said(convert(net)) == REORDERED


class TestOrderStays:
    """Caffe's order is Keras' order: W is transposed and nothing else, and nothing is said."""

    @pytest.mark.parametrize(
        "text",
        [
            pytest.param(input_text("x", 2, 9) + FC, id="a-vector"),
            pytest.param(input_text("x", 2, 9, 1, 1) + FC, id="one-pixel"),
            pytest.param(input_text("x", 2, 1, 4, 5) + FC, id="one-channel"),
            pytest.param(input_text("d", 2, 9) + layer_text("x", "InnerProduct", "d", more=DENSE) + FC, id="dense"),
            pytest.param(DATA + layer_text("x", "Permute", "data", more=CHANNELS_LAST) + FC, id="permuted"),
        ],
    )  # fmt: skip
    def test_nothing_moves(self, text: str) -> None:
        net = filled(text)
        result = convert(net)
        np.testing.assert_array_equal(dense_of(result), stored_of(net).T)
        assert said(result) == []


IN_CAFFES_ORDER = [
    pytest.param(
        layer_text("x", "Reshape", "data", more=reshape(0, -1, 1, 1)), rows,
        [("Permute", (3, 1, 2)), ("Reshape", (1, 1, 72))], id="one-pixel-of-all-features",
    ),
    pytest.param(
        layer_text("x", "Reshape", "data", more=reshape(0, 12, 6)), rows,
        [("Permute", (3, 1, 2)), ("Reshape", (12, 6))], id="merged-axes",
    ),
    pytest.param(
        layer_text("x", "Reshape", "data", more=reshape(0, 12, 6, 1)), rows,
        [("Permute", (3, 1, 2)), ("Reshape", (12, 6, 1))], id="channels-and-rows",
    ),
    pytest.param(
        layer_text("x", "Permute", "data", more="permute_param { order: 0 order: 3 order: 1 order: 2 }"),
        lambda c: rows(c.transpose(0, 3, 1, 2)), [("Permute", (2, 3, 1))], id="another-permutation",
    ),
    pytest.param(
        layer_text("f", "Flatten", "data") + layer_text("x", "Eltwise", "v f"),
        lambda c: rows(c) + V, [("Reshape", (4, 6, 3)), ("Permute", (3, 1, 2)), ("Flatten", None), ("Add", None)],
        id="a-sum-of-two-orders",
    ),
    pytest.param(
        layer_text("f", "Flatten", "data")
        + layer_text("two", "Concat", "f f")
        + layer_text("x", "Slice", "two", "y x z", "slice_param { slice_point: 30 slice_point: 102 }"),
        lambda c: np.concatenate([rows(c), rows(c)], 1)[:, 30:102],
        [("ReorderFeatures", ((3, 4, 6), (3, 4, 6))), ("Split", (30, 102))], id="a-cut-through-vectors",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("path", "in_caffe", "calls"), IN_CAFFES_ORDER)
class TestCaffesOrder:
    """The graph itself brings the features into Caffe's order: W is transposed and nothing else."""

    def test_the_kernel_stays(
        self, path: str, in_caffe: Callable[[Array], Array], calls: list[tuple[str, object]]
    ) -> None:
        net = filled(input_text("v", *V.shape) + DATA + path + FC)
        result = convert(net)
        np.testing.assert_array_equal(dense_of(result), stored_of(net).T)
        assert said(result) == ([("warning", "as in Caffe")] if len(calls) > 1 else [])

    def test_the_description_says_what_stands_before(
        self, path: str, in_caffe: Callable[[Array], Array], calls: list[tuple[str, object]]
    ) -> None:
        net = filled(input_text("v", *V.shape) + DATA + path + FC)
        (layer,) = (each for each in convert(net, include_layers_without_weights=True).layers if each.name == "x")
        assert layer.keras is not None
        made = [*layer.before, layer.keras]
        assert [(call.class_name, dict(call.arguments)) for call in made] == [
            (name, {} if value is None else {**dict(call.arguments), key: value})
            for (name, value), call in zip(calls, made, strict=True)
            for key in [
                {"Permute": "dims", "Reshape": "target_shape", "ReorderFeatures": "segments"}.get(name, "points")
            ]
        ]

    def test_in_keras(self, keras: ModuleType, path: str, in_caffe: Callable[[Array], Array], calls: object) -> None:
        net = filled(input_text("v", *V.shape) + DATA + path + FC)
        assert_computes(keras, net, in_caffe(X) @ stored_of(net).T + stored_of(net, blob=1))


@pytest.mark.parametrize(
    ("path", "in_caffe"),
    [
        pytest.param(path.values[0], path.values[2], id=path.id)
        for path in PATHS
        if not any(f'type: "{kind}"' in str(path.values[0]) for kind in OTHER_NUMBERS)
    ],
)
def test_the_graph_in_keras(keras: ModuleType, path: str, in_caffe: Callable[[Array], Array]) -> None:
    net = filled(DATA + path + FC)
    assert_computes(keras, net, in_caffe(X) @ stored_of(net).T + stored_of(net, blob=1))


def assert_computes(keras: ModuleType, net: Net, expected: Array) -> None:
    """The last layer of the net, in its graph and in Caffe's order."""
    model = assembled(net, Options())
    shapes = {model.nodes[value.edge.node].name: value.held.shape for value in model.inputs}
    given = {MAPS: X, V.shape: V, (2, 7): rows(X)[:, :7]}
    made = blobs(model, computed(keras, model, {name: given[shape or ()] for name, shape in shapes.items()}))
    assert_close(made[len(net.layers) - 1, 0], expected)


class TestNotKnown:
    """The order cannot be told: nothing moves, and the warning names the option."""

    @pytest.mark.parametrize(
        "text",
        [
            pytest.param(DATA + layer_text("x", "Strange", "data"), id="behind-an-unknown-type"),
            pytest.param(layer_text("d", "Data", tops="x"), id="behind-data-without-a-size"),
            pytest.param("", id="behind-a-blob-that-nobody-makes"),
            pytest.param(
                DATA + layer_text("odd", "Strange", "data") + layer_text("x", "Reshape", "odd", more=reshape(2, 72)),
                id="behind-what-was-reshaped-of-an-unknown-type",
            ),
        ],
    )
    def test_the_kernel_stays_and_a_warning_says_so(self, text: str) -> None:
        net = net_of(text + FC, [("fc", [values(5, 72), values(5)])])
        result = convert(net)
        np.testing.assert_array_equal(dense_of(result), stored_of(net).T)
        assert said(result)[-1] == ("warning", "not known")
        assert any("--flatten-shape fc=C,H,W" in note.text for note in result.notes)

    def test_behind_a_convolution_along_other_axes(self) -> None:
        conv = layer_text("x", "Convolution", "d", more="convolution_param { num_output: 3 kernel_size: 3 axis: 2 }")
        net = filled(input_text("d", 2, 4, 3, 4, 6) + conv + FC)
        result = convert(net)
        np.testing.assert_array_equal(dense_of(result), stored_of(net).T)
        assert [note.text[:38] for note in result.notes if note.level == "warning"] == [AS_IN_CAFFE[:38]]

    def test_the_shape_can_be_given(self) -> None:
        net = net_of(FC, [("fc", [values(5, 72), values(5)])])
        result = convert(net, flatten_shapes={"fc": (3, 4, 6)})
        np.testing.assert_array_equal(rows(last(X)) @ dense_of(result), rows(X) @ stored_of(net).T)
        assert said(result)[-1:] == REORDERED

    def test_channels_alone_tell_that_there_is_one_pixel(self) -> None:
        """A convolution over an input of unknown size makes 4 channels, and the kernel takes 4 features: 1×1 maps."""
        conv = layer_text("x", "Convolution", "data", more="convolution_param { num_output: 4 kernel_size: 3 }")
        weights = [("x", [values(4, 3, 3, 3), values(4)]), ("fc", [values(5, 4), values(5)])]
        result = convert(net_of(layer_text("d", "Data", tops="data") + conv + FC, weights))
        assert said(result) == []


class TestValuesByFeature:
    """Arrays with a value for each feature of flattened maps are in Keras' order, whatever layer they belong to."""

    @pytest.mark.parametrize("kind", ["BatchNorm", "Scale", "Bias", "PReLU"])
    def test_they_move_with_the_features(self, kind: str) -> None:
        net = filled(DATA + layer_text("f", "Flatten", "data") + layer_text("it", kind, "f"))
        result = convert(net)
        stored = stored_of(net, "it") / (2001 if kind == "BatchNorm" else 1)  # its factor, the first of blob 2
        first = {"BatchNorm": "moving_mean", "Scale": "gamma", "Bias": "beta", "PReLU": "alpha"}[kind]
        (weight,) = (weight for weight in result.layers[0].weights if weight.name == first)
        expected = np.moveaxis(stored.reshape(3, 4, 6), 0, -1).ravel()
        np.testing.assert_allclose(weight.array, expected, rtol=1e-6)
        assert any(note.text.startswith("values reordered from channels-first (3×4×6)") for note in result.notes)
        kept = convert(net, flatten_order="chw").layers[0].weights
        np.testing.assert_allclose(next(w.array for w in kept if w.name == first), stored, rtol=1e-6)

    @pytest.mark.parametrize("kind", ["BatchNorm", "Scale", "Bias", "PReLU"])
    def test_an_unknown_order_is_a_warning(self, kind: str) -> None:
        text = (
            DATA + layer_text("f", "Flatten", "data")
            + layer_text("x", "Quantization", "f")  # not in Keras
            + layer_text("it", kind, "x")
        )  # fmt: skip
        result = convert(filled(text))
        assert any(note.level == "warning" and "--flatten-shape it=C,H,W" in note.text for note in result.notes)

    @pytest.mark.parametrize("kind", ["BatchNorm", "Scale", "Bias", "PReLU"])
    def test_samples_cut_in_two_are_in_caffes_order(self, keras: ModuleType, kind: str) -> None:
        text = DATA + layer_text("x", "Reshape", "data", more=reshape(4, 36)) + layer_text("it", kind, "x")
        net = filled(text)
        (warning,) = (note for note in convert(net).notes if note.level == "warning")
        assert warning.text.startswith(AS_IN_CAFFE)
        first, *others = (blob.array.astype(float) for blob in net.layers[-1].blobs)
        x = X.reshape(4, 36)
        if kind == "BatchNorm":
            variance, factor = others
            x = (x - first / factor) / np.sqrt(variance / factor + 1e-5)
        expected = {"Scale": x * first, "Bias": x + first, "PReLU": np.where(x > 0, x, x * first)}
        assert_computes(keras, net, expected.get(kind, x))

    def test_a_static_input_of_maps(self) -> None:
        text = (
            input_text("x", 5, 2, 7) + input_text("c", 5, 2) + DATA
            + layer_text("it", "LSTM", "x c data", more="recurrent_param { num_output: 2 }")
        )  # fmt: skip
        net = filled(text)
        kernel = convert(net).layers[0].weights[0].array
        static = net.layers[-1].blobs[2].array[[0, 1, 2, 3, 6, 7, 4, 5]]  # gates i, f, o, g -> i, f, g, o
        expected = np.moveaxis(static.reshape(8, 3, 4, 6), 1, -1).reshape(8, 72).T
        np.testing.assert_array_equal(kernel[7:], expected)

    @pytest.mark.parametrize("odd", [False, True], ids=["of-maps", "of-an-unknown-type"])
    def test_a_sequence_that_was_reshaped(self, odd: bool) -> None:
        """Of maps it is in Caffe's order; of who knows what it is not known."""
        text = (
            DATA + layer_text("m", "Strange" if odd else "ReLU", "data") + input_text("c", 4, 2)
            + layer_text("x", "Reshape", "m", more=reshape(4, 2, 18))
            + layer_text("it", "LSTM", "x c", more="recurrent_param { num_output: 2 }")
        )  # fmt: skip
        net = filled(text)
        result = convert(net)
        gates = stored_of(net, "it")[[0, 1, 2, 3, 6, 7, 4, 5]]  # i, f, o, g -> i, f, g, o
        np.testing.assert_array_equal(result.layers[0].weights[0].array, gates.T)
        assert [
            "--flatten-shape it=C,H,W" in n.text for n in result.notes if (n.level, n.layer) == ("warning", "it")
        ] == ([True] if odd else [])


class TestRemarks:
    def test_a_vector_made_into_maps(self) -> None:
        text = input_text("v", 2, 72) + layer_text("x", "Reshape", "v", more=reshape(0, 3, 4, 6))
        notes = [note for note in convert(filled(text + FC)).notes if note.layer == "x"]
        assert [(note.level, "Reshape((3, 4, 6)) > Permute((2, 3, 1))" in note.text) for note in notes] == [
            ("info", True)
        ]


class TestOptions:
    def test_caffes_order_on_demand(self) -> None:
        net = filled(DATA + layer_text("x", "ReLU", "data") + FC)
        result = convert(net, flatten_order="chw")
        np.testing.assert_array_equal(dense_of(result), stored_of(net).T)
        assert said(result) == []

    def test_a_given_shape_goes_before_what_is_traced(self) -> None:
        net = filled(DATA + layer_text("x", "ReLU", "data") + FC)
        result = convert(net, flatten_shapes={"fc": (12, 6)})
        maps = X.reshape(2, 12, 6)
        np.testing.assert_array_equal(rows(last(maps)) @ dense_of(result), rows(maps) @ stored_of(net).T)
        assert ("warning", True) in [(note.level, "3×4×6 lies before it" in note.text) for note in result.notes]

    @pytest.mark.parametrize("given", [(3, 4, 6), (3, 24), (3, 6, 4)])
    def test_a_given_shape_that_is_traced_too(self, given: tuple[int, ...]) -> None:
        net = filled(DATA + layer_text("x", "Pooling", "data", more="pooling_param { kernel_size: 1 }") + FC)
        assert said(convert(net, flatten_shapes={"fc": given})) == REORDERED

    @pytest.mark.parametrize(
        ("between", "there"),
        [
            pytest.param(layer_text("x", "Flatten", "data"), "3×4×6 lies", id="flattened before"),
            pytest.param(
                layer_text("y", "InnerProduct", "data", more="inner_product_param { num_output: 72 }")
                + layer_text("x", "Dropout", "y"),
                "no flattened maps lies",
                id="a vector that is learned",
            ),
        ],
    )
    def test_a_given_shape_that_the_net_contradicts(self, between: str, there: str) -> None:
        result = convert(filled(DATA + between + FC), flatten_shapes={"fc": (12, 6)})
        (told,) = [note for note in result.notes if note.level == "warning"]
        assert (told.layer, there in told.text, "12×6 was given and taken" in told.text) == ("fc", True, True)

    def test_vectors_from_outside_may_be_anything(self) -> None:
        net = filled(input_text("data", 2, 72) + layer_text("x", "ReLU", "data") + FC)
        assert said(convert(net, flatten_shapes={"fc": (12, 6)})) == [("info", "reordered")]

    def test_a_given_shape_without_reordering_makes_no_sense(self) -> None:
        net = net_of(FC, [("fc", [values(5, 72), values(5)])])
        with pytest.raises(MismatchError, match="leave out --flatten-shape"):
            convert(net, flatten_order="chw", flatten_shapes={"fc": (3, 4, 6)})
