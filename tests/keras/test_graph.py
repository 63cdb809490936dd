"""The graph of a net: how each blob is held, what brings it to another layout, and what real Caffe computes."""

from __future__ import annotations

import math
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from caffeconv.keras.assembling import assembled
from caffeconv.keras.building import Options
from caffeconv.keras.graph import Held, Model, Value, keras_shape
from caffeconv.model import Net, Source, whole
from caffeconv.net.loading import load_net
from tests.support.caffe_cases import RUN
from tests.support.caffe_runs import listing
from tests.support.described_models import assert_close
from tests.support.flattened_maps import flattened_channels_last
from tests.support.graph_runs import blobs, computed
from tests.support.net_builder import filled, input_text, layer_text, net_of, values
from tests.support.places import FIXTURES

CONV = "convolution_param { num_output: 2 kernel_size: 3 }"
DENSE = "inner_product_param { num_output: 4 }"
MAPS = input_text("maps", 2, 3, 4, 5)

BY_OTHER_CLASSES = {
    "batch_statistics": {"of_batch", "scale_of_batch", "of_vectors"},
    "flattened_features": {"sequence"},
    "lstm": {"plain", "stacked", "over_maps", "scores"},
    "lstm_carried": {"exposed", "with_static_maps"},
    "lstm_exposed": {"exposed"},
    "lstm_static": {"with_static", "with_static_exposed"},
    "over_batch": {"of_batch", "scale_of_batch"},
    "rnn": {"plain", "with_static", "exposed"},
    "rnn_carried": {"exposed", "with_static_maps"},
}
"""What classes with weights compute that stand in a written model alone, where `test_models_in_keras` judges them."""


def graph(net: Net, **options: Any) -> Model:
    return assembled(net, Options(**options))


def held(model: Model, net: Net) -> dict[str, Held]:
    """How the tops of the layers are held, the last of each name."""
    return {net.layers[source.layer].tops[source.top]: value.held for source, value in model.values.items()}


def calls(model: Model) -> list[tuple[str, str]]:
    """The nodes: the name of each and the class that it calls."""
    return [(node.name, "" if node.call is None else node.call.class_name) for node in model.nodes]


class TestRealCaffe:
    """Every blob of every net that real Caffe has run."""

    @pytest.mark.parametrize("fixture", RUN)
    def test_computes_what_caffe_computes(self, keras: ModuleType, fixture: str) -> None:
        folder = FIXTURES / fixture
        net = load_net(folder / "net.prototxt", folder / "net.caffemodel")
        model = graph(net)
        places = {layer["name"]: number for number, layer in enumerate(listing(fixture))}
        with np.load(folder / "activations.npz") as run:
            said = {
                (number, top): run[key]
                for number, layer in enumerate(net.layers)
                for top in range(len(layer.tops))
                if layer.name in places and (key := f"top|{places[layer.name]}|{top}") in run
            }
        made = blobs(
            model, computed(keras, model, {name: said[at] for name, at in inputs_of(model).items() if at in said})
        )
        fused = {node.origins[0] for node in model.nodes if len(node.origins) > 1}
        lacking: set[str] = set()
        for at, expected in said.items():
            name = f"{fixture}/{net.layers[at[0]].name}"
            if at[0] in fused:
                continue
            if at not in made:
                lacking.add(net.layers[at[0]].name)
                continue
            assert made[at].shape == expected.shape, name
            np.testing.assert_allclose(made[at], expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max(), err_msg=name)
        assert lacking == BY_OTHER_CLASSES.get(fixture, set())
        assert [node.name for node in model.nodes if node.problem] == []


def inputs_of(model: Model) -> dict[str, tuple[int, int]]:
    """Name of an input of the model -> the layer and top that it is."""
    sources = {value.edge: (source.layer, source.top) for source, value in reversed(list(model.values.items()))}
    return {model.nodes[value.edge.node].name: sources[value.edge] for value in model.inputs if value.edge in sources}


class TestHeld:
    """One decision for each blob, taken where it is made."""

    def test_maps_and_vectors(self) -> None:
        net = filled(
            MAPS
            + layer_text("conv", "Convolution", "maps", more=CONV)
            + layer_text("relu", "ReLU", "conv")
            + layer_text("flat", "Flatten", "relu")
            + layer_text("fc", "InnerProduct", "flat", more=DENSE)
            + layer_text("prob", "Softmax", "fc")
        )
        model = graph(net)
        assert held(model, net) == {
            "maps": Held("last", (2, 3, 4, 5)),
            "conv": Held("last", (2, 2, 2, 3)),
            "relu": Held("last", (2, 2, 2, 3)),
            "flat": Held("flat", (2, 12), ((2, 2, 3),)),
            "fc": Held("axes", (2, 4)),
            "prob": Held("axes", (2, 4)),
        }
        assert [keras_shape(each) for each in held(model, net).values()] == [
            (2, 4, 5, 3), (2, 2, 3, 2), (2, 2, 3, 2), (2, 12), (2, 4), (2, 4)
        ]  # fmt: skip

    def test_vectors_one_behind_the_other(self) -> None:
        net = filled(
            MAPS + input_text("v", 2, 7)
            + layer_text("flat", "Flatten", "maps")
            + layer_text("joined", "Concat", "flat v flat")
            + layer_text("cut", "Slice", "joined", "a b c", "slice_param { slice_point: 60 slice_point: 67 }")
            + layer_text("inside", "Slice", "flat", "d e", "slice_param { slice_point: 7 }")
        )  # fmt: skip
        layouts = held(graph(net), net)
        maps = (3, 4, 5)
        assert layouts["joined"] == Held("flat", (2, 127), (maps, (7,), maps))
        assert [layouts[name] for name in "abc"] == [
            Held("flat", (2, 60), (maps,)), Held("flat", (2, 7), ((7,),)), Held("flat", (2, 60), (maps,))
        ]  # fmt: skip
        assert [layouts[name] for name in "de"] == [Held("axes", (2, 7)), Held("axes", (2, 53))]

    @pytest.mark.parametrize(
        ("more", "layout", "made"),
        [
            pytest.param("dim: 0 dim: 12 dim: 5", "axes", (2, 12, 5), id="merged"),
            pytest.param("dim: 0 dim: 3 dim: 20", "last", (2, 3, 20), id="the-pixels-alone"),
            pytest.param("dim: 0 dim: 3 dim: 5 dim: 4", "last", (2, 3, 5, 4), id="other-sides"),
            pytest.param("dim: 0 dim: -1 dim: 1 dim: 1", "last", (2, 60, 1, 1), id="one-pixel"),
            pytest.param("dim: 6 dim: 20", "axes", (6, 20), id="samples-cut"),
        ],
    )
    def test_reshaped_maps(self, more: str, layout: str, made: tuple[int, ...]) -> None:
        net = filled(MAPS + layer_text("x", "Reshape", "maps", more=f"reshape_param {{ shape {{ {more} }} }}"))
        assert held(graph(net), net)["x"] == Held(layout, made)  # type: ignore[arg-type]

    def test_an_unknown_type_makes_what_nobody_knows(self) -> None:
        net = net_of(MAPS + layer_text("odd", "Strange", "maps") + layer_text("r", "ReLU", "odd"))
        layouts = held(graph(net), net)
        assert (layouts["odd"], layouts["r"]) == (Held("unknown", None), Held("unknown", None))

    def test_caffes_axes_in_keras(self) -> None:
        last, axes, flat = Held("last", (2, 3, 4, 5)), Held("axes", (2, 3, 4, 5)), Held("flat", (2, 6), ((2, 3),))
        assert [last.axis(axis) for axis in range(4)] == [0, 3, 1, 2]
        assert [axes.axis(axis) for axis in range(4)] == [0, 1, 2, 3]
        assert [flat.axis(axis) for axis in range(2)] == [0, 1]
        assert [each.rank for each in (last, flat, Held("unknown", None))] == [4, 2, None]
        assert keras_shape(Held("last", (None, 3, None, 5))) == (None, None, 5, 3)


class TestThreeAxes:
    """A sequence of vectors keeps Caffe's axes; what a layer takes for pixels has its channels last for all."""

    SEQUENCE = input_text("x", 2, 3, 5)

    @pytest.mark.parametrize(
        ("readers", "layout"),
        [
            pytest.param([], "axes", id="none"),
            pytest.param([("a", "PReLU", "")], "axes", id="activation"),
            pytest.param([("a", "InnerProduct", DENSE.replace("4", "4 axis: 2"))], "axes", id="product"),
            pytest.param([("c", "Convolution", CONV)], "last", id="convolution"),
            pytest.param([("c", "Deconvolution", CONV)], "last", id="deconvolution"),
            pytest.param([("a", "PReLU", ""), ("c", "Convolution", CONV)], "last", id="activation-first"),
            pytest.param([("c", "Convolution", CONV), ("a", "PReLU", "")], "last", id="activation-last"),
        ],
    )
    def test_decided_from_all_who_read_it(
        self, keras: ModuleType, readers: list[tuple[str, str, str]], layout: str
    ) -> None:
        text = self.SEQUENCE + "".join(layer_text(name, kind, "x", more=more) for name, kind, more in readers)
        net = filled(text)
        model = graph(net)
        assert held(model, net)["x"] == Held(layout, (2, 3, 5))  # type: ignore[arg-type]
        x = np.random.default_rng(3).normal(size=(2, 3, 5)).astype("f4")
        made = blobs(model, computed(keras, model, {"x": x}))
        for number, (name, _, _) in enumerate(readers, 1):
            first, *others = (blob.array.astype(float) for blob in net.layers[number].blobs)
            if name == "a" and not others:
                expected = np.where(x > 0, x, x * first[:, np.newaxis])
            elif name == "a":
                expected = x @ first.T + others[0]
            elif net.layers[number].type == "Convolution":
                windows = np.stack([x[:, :, start : start + 3] for start in range(3)], axis=-1)
                expected = np.einsum("nckp,ock->nop", windows, first) + others[0][:, np.newaxis]
            else:
                expected = np.zeros((2, 2, 7))
                for place in range(5):
                    expected[:, :, place : place + 3] += np.einsum("nc,cok->nok", x[:, :, place], first)
                expected += others[0][:, np.newaxis]
            assert_close(made[number, 0], expected)

    def test_a_sequence_of_maps_that_is_read_by_step(self) -> None:
        net = filled(
            input_text("x", 5, 2, 3, 4, 4) + input_text("marks", 5, 2)
            + layer_text("it", "LSTM", "x marks", more="recurrent_param { num_output: 2 }")
        )  # fmt: skip
        assert held(graph(net), net)["x"] == Held("axes", (5, 2, 3, 4, 4))


class TestFromOneLayoutToAnother:
    """Glue stands where it is needed, and nowhere else."""

    @pytest.mark.parametrize(
        ("text", "between"),
        [
            pytest.param(layer_text("x", "Convolution", "maps", more=CONV), [], id="maps-to-maps"),
            pytest.param(
                layer_text("x", "InnerProduct", "maps", more=DENSE), [("x_flatten", "Flatten")], id="maps-to-rows"
            ),
            pytest.param(
                layer_text("x", "InnerProduct", "maps", more=DENSE.replace("4", "4 axis: 3")),
                [("x_permute", "Permute")], id="maps-to-axes",
            ),
            pytest.param(
                layer_text("f", "Flatten", "maps") + layer_text("x", "InnerProduct", "f", more=DENSE),
                [("f", "Flatten")], id="vector-to-rows",
            ),
        ],
    )  # fmt: skip
    def test_what_stands_between(self, text: str, between: list[tuple[str, str]]) -> None:
        nodes = calls(graph(filled(MAPS + text)))
        assert nodes[0] == ("maps", "Input")
        assert nodes[1:-1] == between

    def test_an_output_is_in_caffes_order(self, keras: ModuleType) -> None:
        """A vector of flattened maps that nobody reads is what Caffe's net gives."""
        net = filled(MAPS + layer_text("flat", "Flatten", "maps"))
        model = graph(net)
        x = np.arange(120, dtype="f4").reshape(2, 3, 4, 5)
        ((name, value),) = model.outputs
        made = computed(keras, model, {"maps": x})[value.edge.node][value.edge.output]
        assert (name, value.held) == ("flat", Held("axes", (2, 60)))
        np.testing.assert_array_equal(np.asarray(made), x.reshape(2, 60))

    def test_several_segments_at_once(self, keras: ModuleType) -> None:
        net = filled(
            MAPS + input_text("v", 2, 7)
            + layer_text("flat", "Flatten", "maps")
            + layer_text("joined", "Concat", "flat v flat")
        )  # fmt: skip
        model = graph(net)
        x, v = np.arange(120, dtype="f4").reshape(2, 3, 4, 5), np.arange(14, dtype="f4").reshape(2, 7)
        outputs = computed(keras, model, {"maps": x, "v": v})
        rows = x.reshape(2, 60)
        expected = np.concatenate([rows, v, rows], axis=1)
        ((_, value),) = model.outputs
        np.testing.assert_array_equal(np.asarray(outputs[value.edge.node][value.edge.output]), expected)
        inside = model.values[Source(3, 0)]
        assert inside.held.segments == ((3, 4, 5), (7,), (3, 4, 5))
        np.testing.assert_array_equal(
            np.asarray(outputs[inside.edge.node][0]), flattened_channels_last(expected, ((3, 4, 5), (7,), (3, 4, 5)))
        )

    def test_caffes_order_on_demand(self, keras: ModuleType) -> None:
        """`--flatten-order chw`: the graph brings the maps into Caffe's order before it flattens them."""
        net = filled(MAPS + layer_text("fc", "InnerProduct", "maps", more=DENSE))
        model = graph(net, flatten_order="chw")
        assert calls(model) == [
            ("maps", "Input"), ("fc_permute", "Permute"), ("fc_flatten", "Flatten"), ("fc", "Dense")
        ]  # fmt: skip
        kernel, bias = (blob.array.astype(float) for blob in net.layers[1].blobs)
        np.testing.assert_array_equal(model.nodes[3].weights[0].array, kernel.T)
        x = np.random.default_rng(4).integers(-9, 9, (2, 3, 4, 5)).astype("f4")
        assert_close(blobs(model, computed(keras, model, {"maps": x}))[1, 0], x.reshape(2, 60) @ kernel.T + bias)


class TestSizesUnknown:
    """Maps whose channels alone are known: the rest of the features of a product is pixels."""

    @pytest.mark.parametrize("sides", [(3, 4), (4, 3), (2, 6), (1, 12)])
    def test_a_product_over_maps_of_any_size(self, keras: ModuleType, sides: tuple[int, int]) -> None:
        text = layer_text("d", "Data", tops="d") + layer_text("c", "Convolution", "d", more=CONV)
        net = net_of(
            text + layer_text("fc", "InnerProduct", "c", more=DENSE),
            [("c", [values(2, 3, 3, 3), values(2)]), ("fc", [values(4, 24), values(4)])],
        )
        model = graph(net)
        layouts = held(model, net)
        assert (layouts["d"], layouts["c"]) == (
            Held("last", (None, 3, None, None)), Held("last", (None, 2, None, None))
        )  # fmt: skip
        assert [note.level for note in model.notes if note.layer == "fc"] == ["info"]
        x = np.random.default_rng(4).integers(-3, 4, (2, 3, sides[0] + 2, sides[1] + 2)).astype("f4")
        made = blobs(model, computed(keras, model, {"d": x}))
        kernel, bias = (blob.array.astype(float) for blob in net.layers[2].blobs)
        assert made[1, 0].shape == (2, 2, *sides)
        assert_close(made[2, 0], made[1, 0].reshape(2, 24).astype(float) @ kernel.T + bias)

    def test_features_that_are_no_multiple_of_the_channels(self) -> None:
        text = layer_text("d", "Data", tops="d") + layer_text("c", "Convolution", "d", more=CONV)
        net = net_of(
            text + layer_text("fc", "InnerProduct", "c", more=DENSE),
            [("c", [values(2, 3, 3, 3), values(2)]), ("fc", [values(4, 25), values(4)])],
        )
        model = graph(net)
        assert [note.level for note in model.notes if note.layer == "fc"] == ["warning"]
        (weights,) = (node.weights for node in model.nodes if node.name == "fc")
        np.testing.assert_array_equal(weights[0].array, values(4, 25).T)

    def test_an_unknown_type_between(self) -> None:
        """Its channels are not known either."""
        net = net_of(
            MAPS + layer_text("odd", "Strange", "maps") + layer_text("fc", "InnerProduct", "odd", more=DENSE),
            [("fc", [values(4, 60), values(4)])],
        )
        assert [note.level for note in graph(net).notes if note.layer == "fc"] == ["warning"]


class TestNames:
    """Layers are meant by their index: names may repeat."""

    def test_namesakes(self, keras: ModuleType) -> None:
        text = input_text("x", 2, 6) + layer_text("a", "ReLU", "x", "y") + layer_text("a", "TanH", "y", "z")
        net = net_of(text + layer_text("fc", "InnerProduct", "z", more=DENSE), [("fc", [values(4, 6), values(4)])])
        model = graph(net)
        assert [(node.name, node.origins) for node in model.nodes] == [
            ("x", (0,)),
            ("a", (1,)),
            ("a", (2,)),
            ("fc", (3,)),
        ]
        x = np.random.default_rng(4).normal(size=(2, 6)).astype("f4")
        made = blobs(model, computed(keras, model, {"x": x}))
        assert_close(made[1, 0], np.maximum(x, 0))
        assert_close(made[2, 0], np.tanh(np.maximum(x, 0)))

    def test_a_blob_that_is_made_twice(self, keras: ModuleType) -> None:
        """In-place layers: who reads it in between reads what it is then."""
        net = net_of(
            input_text("x", 2, 6)
            + layer_text("before", "TanH", "x")
            + layer_text("relu", "ReLU", "x", "x")
            + layer_text("after", "TanH", "x")
        )
        model = graph(net)
        x = np.random.default_rng(4).normal(size=(2, 6)).astype("f4")
        made = blobs(model, computed(keras, model, {"x": x}))
        assert_close(made[1, 0], np.tanh(x))
        assert_close(made[3, 0], np.tanh(np.maximum(x, 0)))
        assert {name for name, _ in model.outputs} == {"before", "after"}

    def test_a_layer_over_several_bottoms_is_one_layer_of_keras(self, keras: ModuleType) -> None:
        net = filled(MAPS + input_text("more", 2, 3, 4, 5) + layer_text("c", "Convolution", "maps more", "a b", CONV))
        model = graph(net)
        first, second = (node for node in model.nodes if node.call and node.call.class_name == "Conv2D")
        assert (first.twin, second.weights) == (None, ())
        assert second.twin is not None
        assert model.nodes[second.twin] is first
        x = np.random.default_rng(4).normal(size=(2, 3, 4, 5)).astype("f4")
        made = blobs(model, computed(keras, model, {"maps": x, "more": x}))
        np.testing.assert_array_equal(made[2, 0], made[2, 1])

    def test_edges_point_backwards(self) -> None:
        for path in FIXTURES.glob("*/net.prototxt"):
            model = graph(load_net(path))
            for number, node in enumerate(model.nodes):
                assert all(edge.node < number for edge in node.inputs), path
                assert all(edge.output < model.nodes[edge.node].outputs for edge in node.inputs), path
            for value in (*model.values.values(), *model.inputs, *(value for _, value in model.outputs)):
                assert_holds_together(value, model)


def assert_holds_together(value: Value, model: Model) -> None:
    """A layout and its shape belong together, and a vector is as long as its segments."""
    assert value.edge.output < model.nodes[value.edge.node].outputs
    layout, shape, segments = value.held.layout, value.held.shape, value.held.segments
    assert (layout == "flat") == bool(segments)
    if layout == "last":
        assert shape is None or len(shape) >= 3
    if layout == "flat":
        assert shape is not None
        assert len(shape) == 2
        assert shape[1] == sum(math.prod(whole(segment) or ()) for segment in segments)
