"""What contradicts itself between a file of weights and a prototxt, or inside of the file, is told, and by name."""

from __future__ import annotations

import numpy as np
import pytest

from caffeconv.model import Blob, Net
from caffeconv.net import State, StoredLayer, build_net, join_weights, keep_layers
from caffeconv.net.agreement import same_values
from tests.support.net_builder import input_text, layer_text, message_of, net_of, values

CONV = "convolution_param { num_output: 6 kernel_size: 5 }"
DENSE = "inner_product_param { num_output: 3 %s }"


def joined(text: str, *stored: tuple[str, str, list[np.ndarray]]) -> Net:
    """The net of a text with layers of a file, each a name, a type and arrays."""
    layers = [StoredLayer(name, tuple(map(Blob, arrays)), kind) for name, kind, arrays in stored]
    return join_weights(build_net("net", keep_layers(message_of(text), State()), {}), layers)


def warnings(net: Net) -> list[str]:
    return [str(note) for note in net.notes if note.level == "warning"]


class TestTypes:
    @pytest.mark.parametrize(
        ("here", "there", "told"),
        [
            ("Convolution", "Deconvolution", True),
            ("Deconvolution", "Convolution", True),
            ("Convolution", "NobodysConvolution", True),
            ("NobodysConvolution", "Convolution", True),
            ("Convolution", "Convolution", False),
            pytest.param("Convolution", "ConvolutionFixed", False, id="a fork's, as its name says"),
            pytest.param("Convolution", "Convolution3D", True, id="known to be another"),
            pytest.param("Convolution", "ConvolutionRistretto", False, id="another name for it"),
            pytest.param("DeconvolutionRistretto", "Deconvolution", False, id="another name for it, in the text"),
            pytest.param("Convolution", "", False, id="a snapshot has no types"),
            pytest.param("Convolution", "V1:51", False, id="a number that nobody knows"),
        ],
    )
    def test_type_in_the_file_against_the_text(self, here: str, there: str, told: bool) -> None:
        text = input_text("data", 2, 6, 9, 9) + layer_text("c", here, "data", more=CONV)
        told_of = warnings(joined(text, ("c", there, [values(6, 6, 5, 5), values(6)])))
        assert len(told_of) == told
        assert all(word in line for line in told_of for word in ("c: ", here, there))

    def test_depthwise_types_are_convolutions(self) -> None:
        settings = "convolution_param { num_output: 4 group: 4 kernel_size: 3 bias_term: false }"
        text = input_text("data", 1, 4, 9, 9) + layer_text("dw", "Convolution", "data", more=settings)
        assert warnings(joined(text, ("dw", "DepthwiseConvolution", [values(4, 1, 3, 3)]))) == []

    def test_layers_without_arrays_may_be_what_they_like(self) -> None:
        text = input_text("data", 1, 4) + layer_text("out", "Softmax", "data")
        assert warnings(joined(text, ("out", "SoftmaxWithLoss", []))) == []


def sharing(bias: str) -> str:
    return DENSE % "" + f'param {{ name: "kernel" }} param {{ name: "{bias}" }}'


class TestSharedParameters:
    TEXT = input_text("data", 2, 7) + "".join(
        layer_text(name, "InnerProduct", "data", more=sharing(bias))
        for name, bias in (("first", "b1"), ("second", "b2"), ("third", "b3"))
    )

    def stored(self, *kernels: np.ndarray) -> Net:
        arrays = [[kernel, values(3, start=100 * number)] for number, kernel in enumerate(kernels)]
        return net_of(self.TEXT, list(zip(("first", "second", "third"), arrays, strict=True)))

    def test_equal_copies_are_right(self) -> None:
        kernel = values(3, 7)
        kernel[1, 2] = np.nan
        assert self.stored(kernel, kernel.copy(), kernel.copy()).notes == ()

    @pytest.mark.parametrize("odd", [0, 1, 2])
    def test_copies_that_differ_in_one_value(self, odd: int) -> None:
        kernels = [values(3, 7) for _ in range(3)]
        kernels[odd][2, 6] += 1
        net = self.stored(*kernels)
        (told,) = warnings(net)
        assert all(word in told for word in ('third: its copy of the shared parameter "kernel"', '"first"', '"second"'))
        for layer in net.layers[1:]:
            np.testing.assert_array_equal(layer.blobs[0].array, kernels[2])

    def test_a_layer_stored_twice_is_told_as_that(self) -> None:
        text = input_text("data", 2, 7) + layer_text("a", "InnerProduct", "data", more=DENSE % "bias_term: false")
        told = warnings(net_of(text, [("a", [values(3, 7)]), ("a", [values(3, 7) + 1])]))
        assert told == ["a: stored several times in the caffemodel; the last one counts, as in Caffe"]

    def test_values_of_long_arrays_are_looked_at_to_the_end(self) -> None:
        long = np.zeros(3_000_001, np.float32)
        other = long.copy()
        assert same_values(long, other)
        other[-1] = 1
        assert not same_values(long, other)


class TestNetSurgery:
    IMAGE = input_text("data", 1, 2, 3, 4)

    @pytest.mark.parametrize("kind", ["InnerProduct", "FcRistretto", ""])
    def test_inner_product_becomes_a_kernel(self, kind: str) -> None:
        settings = "convolution_param { num_output: 5 kernel_h: 3 kernel_w: 4 }"
        net = joined(
            self.IMAGE + layer_text("fc", "Convolution", "data", more=settings),
            ("fc", kind, [values(5, 24), values(5)]),
        )
        (told,) = warnings(net)
        assert told.startswith("fc: net surgery: the caffemodel has it as an InnerProduct, (5, 24)")
        np.testing.assert_array_equal(net.layers[1].blobs[0].array, values(5, 2, 3, 4))

    def test_over_a_bottom_of_unknown_shape(self) -> None:
        settings = "convolution_param { num_output: 5 kernel_size: 3 bias_term: false }"
        net = joined(layer_text("fc", "Convolution", "x", more=settings), ("fc", "InnerProduct", [values(5, 63)]))
        assert net.layers[0].blobs[0].shape == (5, 7, 3, 3)

    def test_kernel_becomes_an_inner_product(self) -> None:
        net = joined(
            self.IMAGE + layer_text("fc", "InnerProduct", "data", more=DENSE % "bias_term: false"),
            ("fc", "Convolution", [values(3, 2, 3, 4)]),
        )
        assert "has it as a Convolution, (3, 2, 3, 4)" in warnings(net)[0]
        np.testing.assert_array_equal(net.layers[1].blobs[0].array, values(3, 24))

    def test_four_axes_of_old(self) -> None:
        settings = "convolution_param { num_output: 5 kernel_h: 3 kernel_w: 4 bias_term: false }"
        net = net_of(
            self.IMAGE + layer_text("fc", "Convolution", "data", more=settings), [("fc", [values(5, 24)])], legacy=True
        )
        np.testing.assert_array_equal(net.layers[1].blobs[0].array, values(5, 2, 3, 4))
