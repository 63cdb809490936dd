"""Kernels for a backend that convolves where the others correlate; `judges/legacy_keras.sh` has the real thing."""

from __future__ import annotations

import numpy as np
import pytest

from caffeconv.errors import UnsupportedError
from caffeconv.keras.adjust.backends import BACKENDS, for_backend
from caffeconv.keras.conversion import convert
from caffeconv.model import Note, Result
from tests.support.net_builder import filled, input_text, layer_text, one_line

CONV = "convolution_param { num_output: 4 kernel_size: 3 }"


def converted(kind: str, more: str, *sizes: int) -> Result:
    return convert(filled(input_text("data", *sizes) + layer_text("x", kind, "data", more=more)))


def arrays_of(result: Result) -> dict[str, np.ndarray]:
    return {weight.name: weight.array for layer in result.layers for weight in layer.weights}


@pytest.mark.parametrize(
    ("kind", "more", "sizes", "spatial_axes"),
    [
        pytest.param("Convolution", CONV, (1, 3, 9), 1, id="Conv1D"),
        pytest.param("Convolution", CONV, (1, 3, 9, 9), 2, id="Conv2D"),
        pytest.param("Convolution", CONV, (1, 3, 5, 5, 5), 3, id="Conv3D"),
        pytest.param("Deconvolution", CONV, (1, 3, 9, 9), 2, id="Conv2DTranspose"),
        pytest.param("InnerProduct", "inner_product_param { num_output: 4 }", (1, 3), 0, id="Dense"),
    ],
)
def test_theano_kernels_are_flipped_along_each_spatial_axis(
    kind: str, more: str, sizes: tuple[int, ...], spatial_axes: int
) -> None:
    plain = converted(kind, more, *sizes)
    flipped, name = for_backend(plain, "theano")
    assert name == "theano"
    before, after = arrays_of(plain), arrays_of(flipped)
    np.testing.assert_array_equal(after["kernel"], np.flip(before["kernel"], tuple(range(spatial_axes))))
    np.testing.assert_array_equal(after["bias"], before["bias"])


def test_flips_are_views() -> None:
    plain = converted("Convolution", CONV, 1, 3, 9, 9)
    flipped, _ = for_backend(plain, "theano")
    assert np.shares_memory(plain.layers[0].weights[0].view, flipped.layers[0].weights[0].view)


@pytest.mark.parametrize(
    ("short", "full"), [("tf", "tensorflow"), ("cntk", "cntk"), ("tensorflow", "tensorflow"), ("theano", "theano")]
)
def test_names(short: str, full: str) -> None:
    plain = Result(())
    result, name = for_backend(plain, short)
    assert name == full
    assert short == "theano" or result is plain
    assert full in BACKENDS.values()


def test_others_are_refused() -> None:
    with pytest.raises(UnsupportedError) as refused:
        for_backend(Result(()), "torch")
    assert one_line(refused.value) == 'backend "torch": expected one of tf, theano, cntk'


# ---- what Keras 2 under Theano treats in ways of its own -------------------------------------------------------------


def deconvolution_3d(group: int) -> Result:
    more = f"convolution_param {{ num_output: 4 kernel_size: 2 kernel_size: 3 kernel_size: 4 group: {group} }}"
    return converted("Deconvolution", more, 1, 2, 5, 5, 5)


def said_of_x(result: Result) -> list[Note]:
    return [note for note in result.notes if "Theano" in note.text]


@pytest.mark.parametrize("group", [1, 2])
def test_theano_convolves_in_a_conv3d_transpose(group: int) -> None:
    plain = deconvolution_3d(group)
    flipped, _ = for_backend(plain, "theano")
    before, after = (result.layers[0].weights[0].array for result in (plain, flipped))
    assert before.shape == (2, 3, 4, 4, 2)
    np.testing.assert_array_equal(after, before[::-1, ::-1, ::-1])
    assert not np.array_equal(after, before)


def test_what_keras_never_flips_back_is_said() -> None:
    (note,) = said_of_x(for_backend(deconvolution_3d(1), "theano")[0])
    assert (note.level, note.layer) == ("info", "x")
    assert "right under Theano alone" in note.text


@pytest.mark.parametrize("backend", sorted(set(BACKENDS) - {"theano"}))
def test_nothing_is_said_for_the_others(backend: str) -> None:
    assert not said_of_x(for_backend(deconvolution_3d(1), backend)[0])


@pytest.mark.parametrize("sizes", [pytest.param((1, 3, 9), id="1d"), pytest.param((1, 3, 9, 9), id="2d")])
def test_keras_itself_flips_depthwise_kernels(sizes: tuple[int, ...]) -> None:
    plain = converted("Convolution", "convolution_param { num_output: 6 kernel_size: 3 group: 3 }", *sizes)
    for_theano, _ = for_backend(plain, "theano")
    assert plain.layers[0].weights[0].name == "depthwise_kernel"
    np.testing.assert_array_equal(for_theano.layers[0].weights[0].array, plain.layers[0].weights[0].array)
    assert not said_of_x(for_theano)
