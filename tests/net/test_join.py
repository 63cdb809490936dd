"""Weights find their layers by name, under Caffe's rules for counts and shapes; what is missing is named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from caffeconv.catalogue import LAYER_TYPES
from caffeconv.errors import MismatchError
from caffeconv.model import Blob
from caffeconv.net import StoredLayer, build_net, join_weights
from tests.support.net_builder import input_text, layer_text, message_of, net_of, one_line, values

if TYPE_CHECKING:
    from caffeconv.model import Net

DATA = input_text("data", 1, 3, 8, 8)
CONV = "convolution_param { num_output: 4 kernel_size: 3 }"
DENSE = "inner_product_param { num_output: 2 }"
W, B = values(4, 3, 3, 3), values(4, start=500)


def arrays_of(net: Net) -> dict[str, list[tuple[tuple[int, ...], float]]]:
    """Layer -> shape and first value of each blob."""
    return {
        layer.name: [(blob.shape, float(blob.array.reshape(-1)[0])) for blob in layer.blobs]
        for layer in net.layers
        if layer.blobs
    }


def notes(net: Net) -> list[str]:
    return [f"{note.level} {note}" for note in net.notes]


def refusal(text: str, *weights: tuple[str, list[np.ndarray]], **options: Any) -> str:
    with pytest.raises(MismatchError) as refused:
        net_of(text, weights, **options)
    return one_line(refused.value)


def test_by_name_and_not_by_place() -> None:
    text = DATA + layer_text("a", "Convolution", "data", more=CONV) + layer_text("b", "Convolution", "data", more=CONV)
    net = net_of(text, [("b", [W + 1000, B]), ("a", [W, B])])
    assert arrays_of(net) == {"a": [((4, 3, 3, 3), 1), ((4,), 500)], "b": [((4, 3, 3, 3), 1001), ((4,), 500)]}
    assert net.notes == ()


def test_arrays_are_not_copied() -> None:
    net = net_of(DATA + layer_text("a", "Convolution", "data", more=CONV), [("a", [W, B])])
    assert np.shares_memory(net.layers[1].blobs[0].array, W)


class TestCounts:
    TEXT = DATA + layer_text("a", "Convolution", "data", more=CONV)

    def test_too_few(self) -> None:
        assert refusal(self.TEXT, ("a", [W])) == (
            "a (Convolution): the caffemodel has 1 blobs, (4, 3, 3, 3); expected 2: (4, 3, 3, 3), (4,)"
        )

    def test_too_many(self) -> None:
        assert refusal(self.TEXT, ("a", [W, B, B])).startswith("a (Convolution): the caffemodel has 3 blobs, ")

    def test_a_bias_where_the_prototxt_has_none(self) -> None:
        text = DATA + layer_text("a", "Convolution", "data", more=CONV.replace("num", "bias_term: false num"))
        assert refusal(text, ("a", [W, B])).endswith("expected 1: (4, 3, 3, 3)")

    def test_a_layer_that_learns_nothing(self) -> None:
        assert refusal(DATA + layer_text("a", "ReLU", "data"), ("a", [B])) == (
            "a (ReLU): the caffemodel has 1 blobs, (4,); expected 0: none"
        )

    def test_an_unknown_type_takes_what_is_there(self) -> None:
        net = net_of(DATA + layer_text("a", "Strange", "data"), [("a", [W, B, B])])
        assert [blob.shape for blob in net.layers[1].blobs] == [(4, 3, 3, 3), (4,), (4,)]


class TestShapes:
    TEXT = DATA + layer_text("a", "Convolution", "data", more=CONV)

    @pytest.mark.parametrize(
        "wrong",
        [
            pytest.param(values(4, 2, 3, 3), id="a-size"),
            pytest.param(values(3, 4, 3, 3), id="the-same-size-in-all"),
            pytest.param(values(4, 3, 9), id="a-rank"),
            pytest.param(values(4, 3, 3, 3, 1), id="one-axis-more"),
        ],
    )
    def test_another_shape_is_refused(self, wrong: np.ndarray) -> None:
        assert refusal(self.TEXT, ("a", [wrong, B])) == (
            f"a (Convolution): blob 0 has shape {wrong.shape}, expected (4, 3, 3, 3): the weights belong to another "
            "net, or the input shape of the prototxt is not the one it was trained with"
        )

    def test_unknown_sizes_take_any(self) -> None:
        net = net_of(layer_text("a", "InnerProduct", "x", more=DENSE), [("a", [values(2, 7), values(2)])])
        assert arrays_of(net) == {"a": [((2, 7), 1), ((2,), 1)]}

    def test_known_sizes_count_beside_unknown_ones(self) -> None:
        text = layer_text("a", "InnerProduct", "x", more=DENSE)
        assert "blob 0 has shape (3, 7), expected (2, ?)" in refusal(text, ("a", [values(3, 7), values(2)]))

    @pytest.mark.parametrize("kernel", [(4, 3, 3), (4, 3, 3, 3), (4, 3, 3, 3, 3)], ids=["1-D", "2-D", "3-D"])
    def test_a_kernel_over_an_unknown_bottom_tells_its_own_rank(self, kernel: tuple[int, ...]) -> None:
        net = net_of(layer_text("a", "Convolution", "x", more=CONV), [("a", [values(*kernel), B])])
        assert net.layers[0].blobs[0].shape == kernel

    def test_its_other_sizes_still_count(self) -> None:
        assert "expected (4, ?, " in refusal(
            layer_text("a", "Convolution", "x", more=CONV), ("a", [values(5, 3, 3), B])
        )


class TestLegacyShapes:
    """Blob::ShapeEquals: num, channels, height, width against the last axes, ones before."""

    def test_ones_in_front_go(self) -> None:
        text = (
            DATA + layer_text("a", "Convolution", "data", more=CONV) + layer_text("f", "InnerProduct", "a", more=DENSE)
        )
        weights = [("a", [W, B]), ("f", [values(2, 144), values(2)])]
        assert arrays_of(net_of(text, weights, legacy=True)) == arrays_of(net_of(text, weights))

    def test_a_scalar(self) -> None:
        text = DATA + layer_text("s", "Scale", "data", more="scale_param { axis: 0 num_axes: 0 }")
        assert arrays_of(net_of(text, [("s", [values(1)])], legacy=True)) == {"s": [((), 1)]}

    @pytest.mark.parametrize(
        "array",
        [
            pytest.param(values(4, 1, 1, 1), id="the-size-in-front"),
            pytest.param(values(1, 4, 1, 1), id="the-size-in-the-middle"),
            pytest.param(values(2, 1, 1, 4), id="more-than-one-in-front"),
        ],
    )
    def test_sizes_at_other_places_are_refused(self, array: np.ndarray) -> None:
        text = DATA + layer_text("a", "Convolution", "data", more=CONV)
        assert "blob 1 has shape" in refusal(text, ("a", [W, array]), legacy=True)

    def test_five_axes_have_no_legacy_form(self) -> None:
        text = input_text("data", 1, 3, 4, 8, 8) + layer_text("a", "Convolution", "data", more=CONV)
        assert "expected (4, 3, 3, 3, 3)" in refusal(text, ("a", [W, B]), legacy=True)


class TestNamesakes:
    TEXT = DATA + layer_text("a", "Convolution", "data", more=CONV)

    def test_the_last_of_several_in_the_file_wins(self) -> None:
        net = net_of(self.TEXT, [("a", [W, B]), ("a", [W + 7, B + 7])])
        assert arrays_of(net) == {"a": [((4, 3, 3, 3), 8), ((4,), 507)]}
        assert notes(net) == ["warning a: stored several times in the caffemodel; the last one counts, as in Caffe"]

    def test_empty_ones_do_not_count(self) -> None:
        net = net_of(self.TEXT, [("a", [W, B]), ("a", [])])
        assert arrays_of(net) == {"a": [((4, 3, 3, 3), 1), ((4,), 500)]}
        assert net.notes == ()

    def test_each_copy_must_fit(self) -> None:
        assert "blob 0 has shape (9,)" in refusal(self.TEXT, ("a", [values(9), B]), ("a", [W, B]))

    def test_the_first_of_several_in_the_net_gets_them(self) -> None:
        text = self.TEXT + layer_text("a", "Convolution", "data", "second", CONV)
        message = refusal(text, ("a", [W, B]))
        assert message == (
            "a (Convolution) has no weights in the caffemodel; several layers bear this name, and Caffe gives the "
            'weights to the first; "--allow-missing a" goes on without'
        )
        net = net_of(text, [("a", [W, B])], allow_missing=["a"])
        assert [len(layer.blobs) for layer in net.layers] == [0, 2, 0]

    def test_a_namesake_of_a_layer_without_weights(self) -> None:
        """Caffe gives weights to the first of the name, and stops when that one learns nothing."""
        text = DATA + layer_text("a", "ReLU", "data", "x") + layer_text("a", "Convolution", "x", "y", CONV)
        assert refusal(text, ("a", [W, B])).startswith("a (ReLU): the caffemodel has 2 blobs")


class TestMissing:
    TEXT = (
        DATA
        + layer_text("conv1", "Convolution", "data", more=CONV)
        + layer_text("conv2", "Convolution", "conv1", more=CONV)
    )
    WEIGHTS = ("conv1", [W, B])

    def test_one_layer(self) -> None:
        assert refusal(self.TEXT, self.WEIGHTS, ("conv_2", [W])) == (
            'conv2 (Convolution) has no weights in the caffemodel; the nearest name in the caffemodel is "conv_2"; '
            '"--allow-missing conv2" goes on without'
        )

    def test_names_that_are_taken_are_not_near(self) -> None:
        message = refusal(self.TEXT, self.WEIGHTS, ("conv22", [W]))
        assert 'the nearest name in the caffemodel is "conv22"' in message

    def test_what_is_not_near_is_not_said(self) -> None:
        assert refusal(self.TEXT, self.WEIGHTS, ("zzz", [W])) == (
            'conv2 (Convolution) has no weights in the caffemodel; "--allow-missing conv2" goes on without'
        )

    def test_what_was_found_before_comes_with_the_error(self) -> None:
        with pytest.raises(MismatchError) as refused:
            net_of(self.TEXT.replace('bottom: "data"', 'bottom: "date"'), [self.WEIGHTS, ("zzz", [W])])
        assert refused.value.warnings == ("weights of layers that the prototxt does not have are left out: zzz",)

    def test_several_layers(self) -> None:
        text = self.TEXT + layer_text("fc", "InnerProduct", "conv2", more=DENSE)
        assert refusal(text, self.WEIGHTS) == (
            'conv2 (Convolution) has no weights in the caffemodel; the nearest name in the caffemodel is "conv1"; '
            'without weights, too: fc; "--allow-missing all" goes on without'
        )

    def test_a_wholly_different_file(self) -> None:
        assert refusal(self.TEXT, ("x", [W]), ("y", [W])) == (
            "the caffemodel seems to be of another net: conv1 (Convolution) has no weights in the caffemodel; "
            'without weights, too: conv2; "--allow-missing all" goes on without'
        )

    def test_a_file_without_weights(self) -> None:
        assert refusal(self.TEXT) == (
            "the caffemodel has no weights at all: conv1 (Convolution) has no weights in the caffemodel; without "
            'weights, too: conv2; "--allow-missing all" goes on without'
        )

    @pytest.mark.parametrize(
        "allowed", [["conv2"], ["all"], ["conv2", "conv1"]], ids=["by-name", "all", "among-others"]
    )
    def test_allowed(self, allowed: list[str]) -> None:
        net = net_of(self.TEXT, [self.WEIGHTS], allow_missing=allowed)
        assert list(arrays_of(net)) == ["conv1"]
        assert notes(net) == ["warning conv2: Convolution without weights in the caffemodel; left out"]

    def test_other_names_do_not_help(self) -> None:
        assert "conv2 (Convolution) has no weights" in refusal(self.TEXT, self.WEIGHTS, allow_missing=["conv1"])

    @pytest.mark.parametrize("bottoms", ["conv1", "conv1 conv1"])
    @pytest.mark.parametrize("kind", [name for name, each in LAYER_TYPES.items() if each.blobs == "some"])
    def test_what_has_some_misses_them_whatever_their_shapes(self, kind: str, bottoms: str) -> None:
        text = DATA + layer_text("conv1", "Convolution", "data", more=CONV) + layer_text("odd", kind, bottoms)
        assert f"odd ({kind}) has no weights in the caffemodel" in refusal(text, self.WEIGHTS)
        net = net_of(text, [self.WEIGHTS], allow_missing=["odd"])
        assert f"warning odd: {kind} without weights in the caffemodel; left out" in notes(net)

    @pytest.mark.parametrize("kind", ["Convolution", "InnerProduct", "BatchNorm", "PReLU"])
    def test_so_does_what_has_no_bottoms(self, kind: str) -> None:
        """As nets inside of caffemodels may be stored; a text must have them."""
        text = DATA + layer_text("conv1", "Convolution", "data", more=CONV) + layer_text("odd", kind)
        net = build_net("net", message_of(text).layer, {}, as_stored=True)
        with pytest.raises(MismatchError, match=rf"odd \({kind}\) has no weights in the caffemodel"):
            join_weights(net, [StoredLayer("conv1", (Blob(W), Blob(B)))])

    def test_a_name_of_no_layer_is_refused(self) -> None:
        assert refusal(self.TEXT, self.WEIGHTS, allow_missing=["conv2", "covn1"]) == (
            'the net has no layer "covn1" that could be allowed to lack weights; the nearest name is "conv1"'
        )

    def test_an_unknown_type_may_have_none(self) -> None:
        text = DATA + layer_text("conv1", "Convolution", "data", more=CONV) + layer_text("odd", "Strange", "conv1")
        net = net_of(text, [self.WEIGHTS])
        assert list(arrays_of(net)) == ["conv1"]
        assert notes(net) == ['info odd: "Strange" is not a layer type whose output shapes are known']

    def test_a_net_that_learns_nothing_needs_no_weights(self) -> None:
        assert net_of(DATA + layer_text("r", "ReLU", "data"), []).notes == ()


class TestLeftovers:
    TEXT = DATA + layer_text("a", "Convolution", "data", more=CONV)

    def test_a_few(self) -> None:
        net = net_of(self.TEXT, [("x", [B]), ("a", [W, B]), ("y", [B]), ("x", [B]), ("silent", [])])
        assert notes(net) == ["warning weights of layers that the prototxt does not have are left out: x, y"]

    def test_many(self) -> None:
        net = net_of(self.TEXT, [("a", [W, B]), *((f"x{number}", [B]) for number in range(7))])
        assert notes(net) == [
            "warning weights of layers that the prototxt does not have are left out: x0, x1, x2, x3, x4 and 2 more",
            "info weights of layers that the prototxt does not have, all of them: x0, x1, x2, x3, x4, x5, x6",
        ]


class TestSharing:
    """`param { name: … }`; the fixture `shared_params` holds what real Caffe makes of it."""

    def test_an_hdf5_snapshot_stops_before_shared_biases(self) -> None:
        """Caffe stores the arrays that a layer owns, so the file has the second layer's weights alone."""
        more = 'inner_product_param {{ num_output: 2 }} param {{ {} }} param {{ name: "bias" }}'
        text = (
            input_text("x", 1, 3)
            + layer_text("one", "InnerProduct", "x", more=more.format(""))
            + layer_text("two", "InnerProduct", "x", more=more.format(""))
        )
        net = net_of(text, [("one", [values(2, 3), values(2)]), ("two", [values(2, 3, start=50)])])
        np.testing.assert_array_equal(net.layers[2].blobs[0].array, values(2, 3, start=50))
        np.testing.assert_array_equal(net.layers[2].blobs[1].array, values(2))

    @staticmethod
    def dense(name: str, outputs: int, bottom: str = "x", mode: str = "", more: str = "") -> str:
        spec = f'param {{ name: "w" {mode} }} inner_product_param {{ num_output: {outputs} bias_term: false {more} }}'
        return layer_text(name, "InnerProduct", bottom, more=spec)

    INPUTS = input_text("x", 1, 6) + input_text("y", 1, 3)

    def test_the_array_that_was_stored_last_goes_to_all(self) -> None:
        net = net_of(
            self.INPUTS + self.dense("a", 3) + self.dense("b", 3),
            [("a", [values(3, 6)]), ("b", [values(3, 6, start=9)])],
        )
        assert arrays_of(net) == {"a": [((3, 6), 9)], "b": [((3, 6), 9)]}

    def test_the_order_of_the_file_counts(self) -> None:
        net = net_of(
            self.INPUTS + self.dense("a", 3) + self.dense("b", 3),
            [("b", [values(3, 6, start=9)]), ("a", [values(3, 6)])],
        )
        assert arrays_of(net) == {"a": [((3, 6), 1)], "b": [((3, 6), 1)]}

    @pytest.mark.parametrize("stored", ["a", "b"])
    def test_one_of_them_is_enough(self, stored: str) -> None:
        net = net_of(self.INPUTS + self.dense("a", 3) + self.dense("b", 3), [(stored, [values(3, 6)])])
        assert arrays_of(net) == {"a": [((3, 6), 1)], "b": [((3, 6), 1)]}

    def test_permissive_sharers_have_their_own_shape(self) -> None:
        text = self.INPUTS + self.dense("a", 3) + self.dense("b", 6, "y", "share_mode: PERMISSIVE")
        net = net_of(text, [("a", [values(3, 6)]), ("b", [values(6, 3, start=9)])])
        assert arrays_of(net) == {"a": [((3, 6), 9)], "b": [((6, 3), 9)]}

    def test_strict_sharers_must_have_one_shape(self) -> None:
        text = self.INPUTS + self.dense("a", 3) + self.dense("b", 6, "y")
        assert refusal(text, ("a", [values(3, 6)]), ("b", [values(6, 3)])) == (
            'b (InnerProduct): its parameter "w" has shape (6, 3), but that of a has (3, 6)'
        )

    def test_permissive_sharers_must_have_one_size(self) -> None:
        text = self.INPUTS + self.dense("a", 3) + self.dense("b", 5, "y", "share_mode: PERMISSIVE")
        assert refusal(text, ("a", [values(3, 6)]), ("b", [values(5, 3)])) == (
            'b (InnerProduct): its parameter "w" has shape (5, 3), but that of a has (3, 6)'
        )

    def test_sizes_that_are_not_known_are_not_compared(self) -> None:
        text = self.dense("a", 3, "p") + self.dense("b", 3, "q")
        assert arrays_of(net_of(text, [("a", [values(3, 6)])])) == {"a": [((3, 6), 1)], "b": [((3, 6), 1)]}

    def test_arrays_that_a_file_holds_with_their_owner_only(self) -> None:
        """Caffe's HDF5 snapshots leave out what belongs to another layer."""
        net = net_of(self.INPUTS + self.dense("a", 3) + self.dense("b", 3), [("a", [values(3, 6)]), ("b", [None])])
        assert arrays_of(net) == {"a": [((3, 6), 1)], "b": [((3, 6), 1)]}

    def test_blobs_without_a_name_are_their_own(self) -> None:
        spec = 'param { name: "w" } param { lr_mult: 2 } inner_product_param { num_output: 3 }'
        text = (
            self.INPUTS
            + layer_text("a", "InnerProduct", "x", more=spec)
            + layer_text("b", "InnerProduct", "x", more=spec)
        )
        w, b = values(3, 6), values(3)
        net = net_of(text, [("a", [w, b + 100]), ("b", [w + 8, b + 200])])
        assert arrays_of(net) == {"a": [((3, 6), 9), ((3,), 101)], "b": [((3, 6), 9), ((3,), 201)]}
