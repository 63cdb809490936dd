"""Layers of which a file has nothing get what Caffe's fillers give, where these are no matter of chance."""

from __future__ import annotations

import numpy as np
import pytest

from caffeconv.errors import MismatchError
from tests.support.net_builder import input_text, layer_text, net_of, values

STILL = "param { lr_mult: 0 } param { lr_mult: 0 } "
DATA = input_text("data", 2, 3, 9, 8)
OTHER = layer_text("fc", "InnerProduct", "data", more="inner_product_param { num_output: 2 bias_term: false }")
STORED = [("fc", [values(2, 216)])]


def bilinear(size: int) -> np.ndarray:
    """`BilinearFiller::Fill`, element by element."""
    f = int(np.ceil(size / 2.0))
    c = (size - 1) / (2.0 * f)
    kernel = np.zeros(size * size)
    for i in range(size * size):
        x, y = i % size, (i // size) % size
        kernel[i] = (1 - abs(x / f - c)) * (1 - abs(y / f - c))
    return kernel.reshape(size, size)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 16])
@pytest.mark.parametrize("group", [1, 3])
def test_bilinear(size: int, group: int) -> None:
    settings = f'num_output: 3 group: {group} bias_term: false kernel_size: {size} weight_filler {{ type: "bilinear" }}'
    up = layer_text("up", "Deconvolution", "data", more=f"{STILL} convolution_param {{ {settings} }}")
    net = net_of(DATA + OTHER + up, STORED)
    (blob,) = net.layers[2].blobs
    assert blob.shape == (3, 3 // group, size, size)
    np.testing.assert_allclose(blob.array, np.broadcast_to(bilinear(size), blob.shape), rtol=1e-6, atol=1e-7)
    (note,) = net.notes
    assert (note.level, note.layer) == ("info", "up")
    assert "bilinear" in note.text


@pytest.mark.parametrize(
    ("kind", "settings", "expected"),
    [
        ("Scale", 'scale_param { filler { type: "constant" value: 0.25 } }', [0.25]),
        ("Scale", "scale_param { filler { value: -3 } bias_term: true bias_filler { value: 7 } }", [-3, 7]),
        pytest.param("Scale", "scale_param { filler { value: 2 } bias_term: true }", [2, 0], id="bias of nothing"),
        ("Bias", "bias_param { filler { value: 11 } }", [11]),
        ("PReLU", "prelu_param { filler { value: 0.125 } }", [0.125]),
        ("InnerProduct", "inner_product_param { num_output: 4 weight_filler { value: 1 } bias_term: false }", [1]),
        (
            "ConvolutionRistretto",
            "convolution_param { num_output: 4 kernel_size: 2 weight_filler { value: 1 } }",
            [1, 0],
        ),
    ],
)
def test_constants(kind: str, settings: str, expected: list[float]) -> None:
    net = net_of(DATA + OTHER + layer_text("x", kind, "data", more=STILL + settings), STORED)
    blobs = net.layers[2].blobs
    assert [set(np.unique(blob.array)) for blob in blobs] == [{np.float32(value)} for value in expected]
    assert [(note.level, note.layer, "constant" in note.text) for note in net.notes] == [("info", "x", True)]


@pytest.mark.parametrize("rates", ["", "param { lr_mult: 0 } param { lr_mult: 0.5 } ", "param { lr_mult: 0 } "])
def test_what_was_to_be_learned_comes_with_a_warning(rates: str) -> None:
    settings = "scale_param { filler { value: 2 } bias_term: true }"
    net = net_of(DATA + OTHER + layer_text("x", "Scale", "data", more=rates + settings), STORED)
    assert [(note.level, note.layer) for note in net.notes] == [("warning", "x")]
    assert net.layers[2].blobs


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        pytest.param("Scale", "", id="no filler in the text"),
        pytest.param("Scale", 'scale_param { filler { type: "gaussian" } }', id="of chance"),
        pytest.param(
            "Scale", 'scale_param { filler { value: 1 } bias_term: true bias_filler { type: "uniform" } }', id="bias"
        ),
        pytest.param(
            "Deconvolution",
            'convolution_param { num_output: 3 kernel_h: 2 kernel_w: 4 weight_filler { type: "bilinear" } }',
            id="not square, which Caffe refuses",
        ),
        pytest.param("BatchNorm", "", id="of no filler"),
        pytest.param(
            "InnerProduct", "inner_product_param { num_output: 2000000000 weight_filler { value: 1 } }", id="endless"
        ),
    ],
)
def test_else_it_is_missing(kind: str, settings: str) -> None:
    with pytest.raises(MismatchError, match=r"x .* has no weights in the caffemodel"):
        net_of(DATA + OTHER + layer_text("x", kind, "data", more=STILL + settings), STORED)


def test_a_layer_of_unknown_shape_is_missing() -> None:
    settings = STILL + "scale_param { filler { value: 1 } }"
    with pytest.raises(MismatchError, match=r"x .* has no weights"):
        net_of(DATA + OTHER + layer_text("x", "Scale", "nobody", more=settings), STORED)


def test_what_the_file_has_goes_before() -> None:
    settings = STILL + "scale_param { filler { value: 9 } }"
    net = net_of(DATA + OTHER + layer_text("x", "Scale", "data", more=settings), [*STORED, ("x", [values(3)])])
    np.testing.assert_array_equal(net.layers[2].blobs[0].array, values(3))
    assert net.notes == ()
