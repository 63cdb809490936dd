"""Layers with parameters in common: one layer of Keras, called more than once, if they are the same in all else."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from caffeconv.keras.adjust.folding import fold_batchnorm
from caffeconv.keras.assembling import assembled
from caffeconv.keras.building import Options
from caffeconv.keras.graph import Model
from caffeconv.model import Net
from caffeconv.writing.keras_archive import write_keras_archive
from tests.support import naive_layers as naive
from tests.support.archives import loaded
from tests.support.net_builder import input_text, layer_text, net_of
from tests.support.python_models import KERAS, using, worst_error, written
from tests.support.random_values import arrays, image

PAIR = input_text("left", 2, 3, 6, 7) + input_text("right", 2, 3, 5, 5)
W, B = arrays((4, 3, 2, 2), (4,))


def branch(name: str, bottom: str, more: str = "", params: str = 'param { name: "w" } param { name: "b" }') -> str:
    settings = f"{params} convolution_param {{ num_output: 4 kernel_size: 2 {more} }}"
    return layer_text(name, "Convolution", bottom, more=settings)


def siamese(more: str = "", params: str = 'param { name: "w" } param { name: "b" }') -> Net:
    text = PAIR + branch("one", "left") + branch("two", "right", more, params)
    return net_of(text, [("one", [W, B]), ("two", [W, B])])


def twins(model: Model) -> list[tuple[str, str | None]]:
    return [
        (node.name, None if node.twin is None else model.nodes[node.twin].name) for node in model.nodes if node.weights
    ]


def texts(model: Model) -> list[str]:
    return [note.text for note in model.notes if note.layer == "two"]


def test_the_second_calls_the_layer_of_the_first() -> None:
    model = assembled(siamese(), Options())
    assert twins(model) == [("one", None), ("two", "one")]
    assert texts(model) == ['has its parameters in common with "one": one layer']


@pytest.mark.parametrize("more", ["stride: 2", "pad: 1 group: 1 dilation: 2"])
def test_what_differs_in_anything_is_a_layer_of_its_own_and_says_so(more: str) -> None:
    model = assembled(siamese(more), Options())
    assert twins(model) == [("one", None), ("two", None)]
    assert len(texts(model)) == 1 and "a layer of its own" in texts(model)[0]


@pytest.mark.parametrize("params", ["", 'param { name: "w" }', 'param { name: "w" } param { name: "c" }'])
def test_one_parameter_of_two_is_not_enough(params: str) -> None:
    model = assembled(siamese(params=params), Options())
    assert twins(model) == [("one", None), ("two", None)]
    assert texts(model) == []


@pytest.mark.parametrize("keras_name", KERAS)
def test_both_compute_what_a_convolution_does(keras_name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    using(monkeypatch, keras_name)
    made = written(siamese(), tmp_path)
    model = made.filled()
    assert [layer.name for layer in model.layers if layer.weights] == ["one"]
    blobs = {"left": image(2, 3, 6, 7), "right": image(2, 3, 5, 5)}
    got = dict(made.run(blobs, model))
    for name, bottom in (("one", "left"), ("two", "right")):
        expected = naive.convolution(blobs[bottom], W, B, (1, 1), (0, 0), (1, 1))
        assert worst_error(got[name], expected) < 1e-5


def test_the_file_of_weights_has_both(tmp_path: Path) -> None:
    made = written(siamese(), tmp_path)
    with h5py.File(made.weights) as file:
        for name in ("one", "two"):
            np.testing.assert_array_equal(file[name][name]["kernel:0"], W.transpose(2, 3, 1, 0))
    assert '    "two",' in made.path.read_text(encoding="utf-8")


def test_an_archive_has_one_layer_for_both(tmp_path: Path) -> None:
    net, path = siamese(), tmp_path / "out.keras"
    write_keras_archive(path, net, assembled(net, Options()))
    model = loaded(path)
    assert [layer.name for layer in model.layers if layer.weights] == ["one"]
    blobs = [image(2, 3, 6, 7), image(2, 3, 5, 5)]
    for got, blob in zip(model([np.moveaxis(each, 1, -1) for each in blobs]), blobs, strict=True):
        expected = naive.convolution(blob, W, B, (1, 1), (0, 0), (1, 1))
        assert worst_error(np.moveaxis(np.asarray(got), -1, 1), expected) < 1e-5


def test_layers_that_are_folded_differently_are_parted() -> None:
    text = PAIR + branch("one", "left") + branch("two", "right") + layer_text("norm", "BatchNorm", "two")
    norm = [*arrays((4,), (4,)), np.ones(1, "f4")]
    net = net_of(text, [("one", [W, B]), ("two", [W, B]), ("norm", norm)])
    model = fold_batchnorm(assembled(net, Options()), net)
    assert twins(model) == [("one", None), ("two", None)]
    one, two = (node.weights[0].array for node in model.nodes if node.weights)
    np.testing.assert_array_equal(one, W.transpose(2, 3, 1, 0))
    np.testing.assert_allclose(two, one / np.sqrt(norm[1] + 1e-5), rtol=1e-5)
