"""A net becomes a result: what is fused, listed, left out and said. The layers one by one are in `rules`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from caffeconv.errors import MismatchError
from caffeconv.keras.conversion import convert
from caffeconv.model import Net, Result
from tests.support.net_builder import filled, input_text, layer_text, net_of, one_line, values

DATA = input_text("data", 2, 4, 3, 5)
CONV = "convolution_param { num_output: 4 kernel_size: 1 }"
WITH_BIAS = "scale_param { bias_term: true }"


def listed(result: Result) -> list[tuple[str, str | None, tuple[str, ...]]]:
    """Name, Keras class and the names of the arrays."""
    return [
        (layer.name, layer.keras.class_name if layer.keras else None, tuple(weight.name for weight in layer.weights))
        for layer in result.layers
    ]


def arrays_of(result: Result, name: str) -> dict[str, np.ndarray]:
    layer = next(layer for layer in result.layers if layer.name == name)
    return {weight.name: weight.array for weight in layer.weights}


def blobs_of(net: Net, name: str) -> list[np.ndarray]:
    return [blob.array for layer in net.layers if layer.name == name for blob in layer.blobs]


def said(result: Result) -> list[str]:
    return [f"{note.level} {note}" for note in result.notes]


FUSED = ("gamma", "beta", "moving_mean", "moving_variance")
BARE = ("moving_mean", "moving_variance")
SCALE = ("gamma", "beta", "moving_mean", "moving_variance")
"""A Scale alone is a BatchNormalization that does nothing but scale."""


class TestFusion:
    def test_values(self) -> None:
        """Caffe: (x - mean/f) / sqrt(var/f + eps) · gamma + beta."""
        net = filled(DATA + layer_text("bn", "BatchNorm", "data") + layer_text("s", "Scale", "bn", more=WITH_BIAS))
        mean, variance, factor = blobs_of(net, "bn")
        gamma, beta = blobs_of(net, "s")
        result = convert(net)
        assert [(layer.name, layer.type, layer.origins) for layer in result.layers] == [
            ("bn", "BatchNorm", ("bn", "s"))
        ]
        arrays = arrays_of(result, "bn")
        x = np.random.default_rng(0).normal(size=(7, 4))
        expected = (x - mean / factor) / np.sqrt(variance / factor + 1e-5) * gamma + beta
        assert result.layers[0].keras is not None
        epsilon = dict(result.layers[0].keras.arguments)["epsilon"]
        ours = (x - arrays["moving_mean"]) / np.sqrt(arrays["moving_variance"] + epsilon) * arrays["gamma"] + arrays[
            "beta"
        ]
        np.testing.assert_allclose(ours, expected, rtol=1e-5)
        assert said(result) == ["info bn: fused with s (Scale) into one BatchNormalization"]

    @pytest.mark.parametrize(
        "text",
        [
            pytest.param(
                layer_text("bn", "BatchNorm", "data") + layer_text("s", "Scale", "bn", more=WITH_BIAS),
                id="side-by-side",
            ),
            pytest.param(
                layer_text("bn", "BatchNorm", "data", "data") + layer_text("s", "Scale", "data", "data", WITH_BIAS),
                id="in-place",
            ),
            pytest.param(
                layer_text("bn", "BatchNorm", "data")
                + "".join(layer_text(f"r{number}", "ReLU", "data") for number in range(9))
                + layer_text("s", "Scale", "bn", more=WITH_BIAS),
                id="far-away-in-the-list",
            ),
            pytest.param(
                layer_text("bn", "BatchNorm", "data")
                + layer_text("s", "Scale", "bn", more="scale_param { axis: -3 bias_term: true }"),
                id="the-same-axis-counted-from-the-end",
            ),
            pytest.param(
                layer_text("bn", "BatchNorm", "data")
                + layer_text("s", "Scale", "bn", more=WITH_BIAS)
                + layer_text("r", "ReLU", "s", "s"),
                id="rewritten-behind-the-scale",
            ),
        ],
    )
    def test_fused(self, text: str) -> None:
        assert listed(convert(filled(DATA + text))) == [("bn", "BatchNormalization", FUSED)]

    def test_without_a_bias_there_is_no_beta(self) -> None:
        net = filled(DATA + layer_text("bn", "BatchNorm", "data") + layer_text("s", "Scale", "bn"))
        assert listed(convert(net)) == [("bn", "BatchNormalization", ("gamma", "moving_mean", "moving_variance"))]

    @pytest.mark.parametrize(
        "text",
        [
            pytest.param(
                layer_text("bn", "BatchNorm", "data")
                + layer_text("s", "Scale", "bn", more=WITH_BIAS)
                + layer_text("reader", "ReLU", "bn"),
                id="a-second-reader",
            ),
            pytest.param(
                layer_text("bn", "BatchNorm", "data")
                + layer_text("r", "ReLU", "bn", "bn")
                + layer_text("s", "Scale", "bn", more=WITH_BIAS),
                id="a-layer-in-place-between",
            ),
            pytest.param(
                layer_text("bn", "BatchNorm", "data") + layer_text("s", "Scale", "data", more=WITH_BIAS),
                id="next-in-the-list-but-no-reader",
            ),
        ],
    )
    def test_apart(self, text: str) -> None:
        assert listed(convert(filled(DATA + text))) == [
            ("bn", "BatchNormalization", BARE),
            ("s", "BatchNormalization", SCALE),
        ]

    @pytest.mark.parametrize(
        ("text", "apart"),
        [
            pytest.param(
                layer_text("s", "Scale", "bn", more="scale_param { axis: 0 num_axes: 0 }"), "s", id="one-value"
            ),
            pytest.param(layer_text("s", "Scale", "bn", more="scale_param { num_axes: 2 }"), "s", id="two-axes"),
            pytest.param(layer_text("s", "Scale", "bn", more="scale_param { num_axes: -1 }"), "s", id="all-axes"),
            pytest.param(layer_text("s", "Scale", "bn", more="scale_param { axis: 3 }"), "s", id="another-axis"),
            pytest.param(layer_text("s", "Scale", "bn data", more="scale_param { axis: 0 }"), None, id="two-bottoms"),
            pytest.param(
                input_text("v", 4) + layer_text("s", "Scale", "bn v", more=WITH_BIAS),
                "s",
                id="two-bottoms-with-offsets",
            ),
        ],
    )
    def test_a_scale_of_another_kind_stays_apart(self, text: str, apart: str | None) -> None:
        result = convert(filled(DATA + layer_text("bn", "BatchNorm", "data") + text))
        assert listed(result)[0] == ("bn", "BatchNormalization", BARE)
        assert [layer.name for layer in result.layers[1:]] == ([apart] if apart else [])

    def test_another_axis_of_the_same_size(self) -> None:
        """Only the axis tells it apart: there are as many columns as channels."""
        text = input_text("data", 1, 4, 4, 4) + layer_text("bn", "BatchNorm", "data")
        for axis, count in ((1, 1), (2, 2), (3, 2), (-1, 2), (-3, 1)):
            net = filled(text + layer_text("s", "Scale", "bn", more=f"scale_param {{ axis: {axis} }}"))
            assert len(convert(net).layers) == count, axis

    def test_the_last_axis_of_a_blob_of_unknown_rank(self) -> None:
        """-1 may be the channels of a vector or the columns of maps: nothing is fused on a guess."""
        text = layer_text("bn", "BatchNorm", "x") + layer_text("s", "Scale", "bn", more="scale_param { axis: -1 }")
        weights = [("bn", [values(4), values(4), values(1)]), ("s", [values(4)])]
        assert len(convert(net_of(text, weights)).layers) == 2

    def test_the_first_axis_of_a_blob_of_unknown_rank(self) -> None:
        text = layer_text("bn", "BatchNorm", "x") + layer_text("s", "Scale", "bn", more=WITH_BIAS)
        weights = [("bn", [values(4), values(4), values(1)]), ("s", [values(4), values(4)])]
        assert listed(convert(net_of(text, weights))) == [("bn", "BatchNormalization", FUSED)]

    def test_a_vector_is_fused_on_its_last_axis(self) -> None:
        text = input_text("data", 2, 4) + layer_text("bn", "BatchNorm", "data")
        net = filled(text + layer_text("s", "Scale", "bn", more="scale_param { axis: -1 }"))
        assert len(convert(net).layers) == 1

    @pytest.mark.parametrize(
        ("missing", "left"), [("s", [("bn", BARE)]), ("bn", [("s", SCALE)])], ids=["no-scale", "no-statistics"]
    )
    def test_half_of_the_pair_has_no_weights(self, missing: str, left: list[tuple[str, tuple[str, ...]]]) -> None:
        text = DATA + layer_text("bn", "BatchNorm", "data") + layer_text("s", "Scale", "bn", more=WITH_BIAS)
        weights = [("bn", [values(4), values(4), values(1)]), ("s", [values(4), values(4)])]
        net = net_of(text, [each for each in weights if each[0] != missing], allow_missing=[missing])
        assert [(name, arrays) for name, _, arrays in listed(convert(net))] == left

    def test_each_pair_is_its_own(self) -> None:
        text = "".join(
            layer_text(f"bn{number}", "BatchNorm", "data") + layer_text(f"s{2 - number}", "Scale", f"bn{number}")
            for number in range(3)
        )
        assert [layer.origins for layer in convert(filled(DATA + text)).layers] == [
            ("bn0", "s2"), ("bn1", "s1"), ("bn2", "s0"),
        ]  # fmt: skip


class TestPlainNets:
    def test_nothing_is_said_where_nothing_happened(self) -> None:
        text = DATA + layer_text("conv", "Convolution", "data", more=CONV) + layer_text("relu", "ReLU", "conv", "conv")
        text += layer_text("pool", "Pooling", "conv", more="pooling_param { global_pooling: true pool: AVE }")
        text += layer_text("fc", "InnerProduct", "pool", more="inner_product_param { num_output: 2 }")
        result = convert(filled(text + layer_text("prob", "Softmax", "fc")))
        assert listed(result) == [("conv", "Conv2D", ("kernel", "bias")), ("fc", "Dense", ("kernel", "bias"))]
        assert result.notes == ()

    def test_the_order_is_that_of_the_net(self) -> None:
        text = "".join(layer_text(name, "Convolution", "data", more=CONV) for name in ("z", "a", "m"))
        assert [layer.name for layer in convert(filled(DATA + text)).layers] == ["z", "a", "m"]

    def test_nothing_is_copied(self) -> None:
        net = filled(DATA + layer_text("conv", "Convolution", "data", more=CONV))
        result = convert(net)
        for weight, blob in zip(result.layers[0].weights, blobs_of(net, "conv"), strict=True):
            assert np.shares_memory(weight.view, blob)

    def test_notes_of_the_net_come_first(self) -> None:
        net = filled(layer_text("relu", "ReLU", "data"))
        assert said(convert(net)) == [
            'warning relu: no layer makes its bottom "data", shapes are unknown from here on',
            "info no layer of this net is of a type that has weights",
        ]

    def test_a_net_without_its_weights(self) -> None:
        net = net_of(DATA + layer_text("conv", "Convolution", "data", more=CONV))
        assert "warning no layer has weights; was the net loaded without a caffemodel?" in said(convert(net))

    @pytest.mark.parametrize("arrays", [[values(5)], []])
    def test_an_inner_product_of_two_bottoms(self, arrays: list[np.ndarray]) -> None:
        settings = f"inner_product_param {{ num_output: 5 bias_term: {'true' if arrays else 'false'} }}"
        text = input_text("x", 2, 3) + input_text("w", 5, 3) + layer_text("ip", "InnerProduct", "x w", more=settings)
        result = convert(net_of(text, [("ip", arrays)]))
        assert any(note.startswith("warning ip: its second bottom is its weights") for note in said(result))
        assert [[weight.name for weight in layer.weights] for layer in result.layers] == [["weights_0"]][: len(arrays)]


class TestLayersWithoutWeights:
    TEXT = DATA + layer_text("conv", "Convolution", "data", more=CONV) + layer_text("relu", "ReLU", "conv", "conv")

    def test_left_out(self) -> None:
        assert [layer.name for layer in convert(filled(self.TEXT)).layers] == ["conv"]

    def test_listed_on_demand(self) -> None:
        result = convert(filled(self.TEXT), include_layers_without_weights=True)
        assert listed(result) == [("data", None, ()), ("conv", "Conv2D", ("kernel", "bias")), ("relu", "ReLU", ())]
        assert result.notes == ()

    def test_a_fused_scale_is_not_listed_again(self) -> None:
        text = DATA + layer_text("bn", "BatchNorm", "data") + layer_text("s", "Scale", "bn")
        result = convert(filled(text), include_layers_without_weights=True)
        assert [layer.name for layer in result.layers] == ["data", "bn"]

    @pytest.mark.parametrize("first", ["relu", "conv"])
    def test_a_namesake_gives_way_to_the_layer_with_arrays(self, first: str) -> None:
        relu = layer_text("x", "ReLU", "data", "r")
        conv = layer_text("x", "Convolution", "data", "c", CONV)
        weights = [("x", [values(4, 4, 1, 1), values(4)])]
        if first == "relu":
            # Caffe would give the weights to the first: such a net is put together by hand here.
            net = net_of(DATA + conv + relu, weights)
            net = Net(net.name, (net.layers[0], net.layers[2], net.layers[1]))
        else:
            net = net_of(DATA + conv + relu, weights)
        result = convert(net, include_layers_without_weights=True)
        assert listed(result) == [("data", None, ()), ("x", "Conv2D", ("kernel", "bias"))]
        assert said(result) == ["info x: several layers bear this name; it is listed once"]

    def test_the_second_of_two_namesakes_with_arrays_gets_a_number(self) -> None:
        """By name Caffe gives weights to the first alone; the second has some where both share their parameters."""
        shared = CONV + ' param { name: "w" } param { name: "b" }'
        text = DATA + layer_text("x", "Convolution", "data", "c", shared) + layer_text("x_2", "ReLU", "c", "r")
        text += layer_text("x", "Convolution", "r", "d", shared)
        result = convert(net_of(text, [("x", [values(4, 4, 1, 1), values(4)])]))
        assert listed(result) == [("x", "Conv2D", ("kernel", "bias")), ("x_3", "Conv2D", ("kernel", "bias"))]
        for name, array in arrays_of(result, "x").items():
            np.testing.assert_array_equal(array, arrays_of(result, "x_3")[name])
        assert said(result)[-1] == (
            'warning x: another layer with weights is called "x", too; this one (Convolution) is "x_3"'
        )

    def test_namesakes_that_do_not_share_are_refused_where_weights_are_joined(self) -> None:
        """Which of them the weights in the file are for, nobody can tell."""
        text = DATA + layer_text("x", "Convolution", "data", "c", CONV) + layer_text("x", "Convolution", "c", "d", CONV)
        arrays = [values(4, 4, 1, 1), values(4)]
        with pytest.raises(
            MismatchError, match="several layers bear this name, and Caffe gives the weights to the first"
        ):
            net_of(text, [("x", arrays), ("x", arrays)])

    def test_a_layers_own_name_goes_before_one_that_was_made_up(self) -> None:
        """An RNN has a second layer for its output part."""
        text = input_text("data", 3, 2, 4) + input_text("marks", 3, 2)
        text += layer_text("x", "RNN", "data marks", more="recurrent_param { num_output: 5 }")
        dense = layer_text("x_output", "InnerProduct", "x", more="inner_product_param { num_output: 2 axis: 2 }")
        result = convert(filled(text + dense))
        assert [(name, kind) for name, kind, _ in listed(result)] == [
            ("x", "SimpleRNN"), ("x_output_2", "Dense"), ("x_output", "Dense")
        ]  # fmt: skip
        assert (
            'warning x: another layer with weights is called "x_output", too; this one (RNN) is "x_output_2"'
            in said(result)
        )


class TestUnknownTypes:
    TEXT = DATA + layer_text("odd", "Strange", "data")
    STORED = (values(2, 3), values(5), np.array(7, np.float32))

    def test_written_as_stored(self) -> None:
        result = convert(net_of(self.TEXT, [("odd", list(self.STORED))]))
        assert listed(result) == [("odd", None, ("weights_0", "weights_1", "weights_2"))]
        for ours, theirs in zip(arrays_of(result, "odd").values(), self.STORED, strict=True):
            np.testing.assert_array_equal(ours, theirs)
        assert said(result)[-1] == "warning odd: type Strange is not known; its arrays are written as stored"

    def test_left_out_on_demand(self) -> None:
        result = convert(net_of(self.TEXT, [("odd", list(self.STORED))]), include_unknown_layer_types=False)
        assert result.layers == ()
        assert said(result)[-1] == "warning odd: type Strange is not known; left out"

    def test_without_arrays_it_is_a_layer_like_others(self) -> None:
        net = net_of(self.TEXT, [])
        assert convert(net).layers == ()
        assert [layer.name for layer in convert(net, include_layers_without_weights=True).layers] == ["data", "odd"]

    def test_a_known_type_in_a_form_without_a_rule(self) -> None:
        text = input_text("data", 1, 2, 3, 3, 3, 3) + layer_text("c", "Convolution", "data", more=CONV)
        result = convert(filled(text))
        assert [name for name, _, _ in listed(result)] == ["c"]
        assert listed(result)[0][1:] == (None, ("weights_0", "weights_1"))
        assert said(result)[0].startswith("warning c: a kernel of shape (4, 2, 1, 1, 1, 1): ")
        assert said(result)[0].endswith("; its arrays are written as stored")


class TestOptions:
    def test_a_flattened_shape_for_no_layer(self) -> None:
        with pytest.raises(MismatchError) as refused:
            convert(filled(DATA + layer_text("r", "ReLU", "data")), flatten_shapes={"fc": (1, 2, 3)})
        assert one_line(refused.value) == 'the net has no layer "fc" to give a flattened shape to'

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            pytest.param(
                {"flatten_shapes": {"fc": (7, 2)}},
                "fc (InnerProduct): its input has 60 features, but 7×2 are 14",
                id="another-size",
            ),
            pytest.param(
                {"flatten_shapes": {"fc": (60,)}}, "fc: the flattened shape (60,), expected C,H,W", id="no-map"
            ),
            pytest.param(
                {"flatten_shapes": {"conv": (4, 3, 5)}},
                "conv (Convolution) is of no type that reads flattened maps",
                id="another-type",
            ),
            pytest.param({"flatten_order": "zzz"}, 'flatten_order "zzz": expected hwc or chw', id="order"),
            pytest.param({"depthwise": "zzz"}, 'depthwise "zzz": expected depthwise or conv2d', id="depthwise"),
        ],
    )
    def test_arguments_that_make_no_sense(self, options: dict[str, Any], message: str) -> None:
        text = DATA + layer_text("fc", "InnerProduct", "data", more="inner_product_param { num_output: 2 }")
        net = filled(text + layer_text("conv", "Convolution", "data", more=CONV))
        with pytest.raises(MismatchError) as refused:
            convert(net, **options)
        assert one_line(refused.value) == message

    def test_statistics_of_batches_are_a_warning(self) -> None:
        param = "batch_norm_param { use_global_stats: false }"
        result = convert(filled(DATA + layer_text("bn", "BatchNorm", "data", more=param)))
        assert [note for note in said(result) if note.startswith("warning bn: its use_global_stats is false")]
        param = param.replace("false", "true")
        assert not said(convert(filled(DATA + layer_text("bn", "BatchNorm", "data", more=param))))

    @pytest.mark.parametrize(
        ("options", "keras"),
        [
            pytest.param({}, "DepthwiseConv2D", id="default"),
            pytest.param({"depthwise": "conv2d"}, "Conv2D", id="conv2d"),
        ],
    )
    def test_depthwise(self, options: dict[str, Any], keras: str) -> None:
        net = filled(DATA + layer_text("c", "Convolution", "data", more=CONV.replace("}", "group: 4 }")))
        assert listed(convert(net, **options))[0][1] == keras
