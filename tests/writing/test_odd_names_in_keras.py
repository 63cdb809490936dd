"""Nets whose layers bear names that no file of weights can hold beside each other, in real Keras 2 and Keras 3."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from caffeconv.model import Array, Net
from tests.support.command import caffeconv
from tests.support.net_builder import input_text, layer_text, net_of, values, write_caffemodel, write_text
from tests.support.python_models import KERAS, imported, using, written

DENSE = "inner_product_param { num_output: 3 bias_term: false }"

NETS: dict[str, tuple[list[str], list[str]]] = {
    "slashes-at-both-ends": (["/add", "add/"], ["add", "add_2"]),
    "beside-the-right-one": (["/add", "add", "add//"], ["add_2", "add", "add_3"]),
    "on-an-array": (["a", "a/a/kernel:0"], ["a", "a_a_kernel:0"]),
    "in-each-other": (["a", "a/kernel", "a/a", "a/a/b"], ["a", "a/kernel", "a/a", "a/a/b"]),
    "dots": ([".", "..", "a/./b", "a/../b"], ["layer", "..", "a/b", "a/../b"]),
    "empty": (["", "//", "/"], ["layer", "layer_2", "layer_3"]),
    "nul": ([r"a\000b", r"\000", "a_b"], ["a_b_2", "layer", "a_b"]),
    "reserved": (["top_level_model_weights", "x"], ["layer_top_level_model_weights", "x"]),
}
"""Names in Caffe, as a prototxt spells them -> those in the file."""


def text_of(names: list[str]) -> str:
    blobs = ["data", *(f"blob{number}" for number in range(len(names)))]
    chain = zip(names, blobs, blobs[1:], strict=False)
    return input_text("data", 1, 3) + "".join(layer_text(name, "InnerProduct", b, t, DENSE) for name, b, t in chain)


def kernels(names: list[str]) -> list[Array]:
    return [values(3, 3, start=10 * number + 1) for number in range(len(names))]


def net(names: list[str]) -> Net:
    plain = [layer.name for layer in net_of(text_of(names)).layers[1:]]
    return net_of(text_of(names), [(name, [kernel]) for name, kernel in zip(plain, kernels(names), strict=True)])


@pytest.fixture(params=NETS)
def names(request: pytest.FixtureRequest) -> tuple[list[str], list[str]]:
    return NETS[request.param]


def test_the_file_has_them_all(names: tuple[list[str], list[str]], tmp_path: Path) -> None:
    caffes, stored = names
    path = written(net(caffes), tmp_path).weights
    with h5py.File(path) as file:
        assert [name.decode() for name in file.attrs["layer_names"]] == stored
        for name, kernel in zip(stored, kernels(caffes), strict=True):
            np.testing.assert_array_equal(file[f"{name}/{name}/kernel:0"][()], kernel.T)


@pytest.mark.parametrize("keras_name", KERAS)
def test_a_written_model_finds_them(
    keras_name: str, names: tuple[list[str], list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    using(monkeypatch, keras_name)
    model = written(net(names[0]), tmp_path).filled()
    got = [layer.get_weights()[0] for layer in model.layers if layer.weights]
    np.testing.assert_array_equal(got, [kernel.T for kernel in kernels(names[0])])


@pytest.mark.parametrize("by_name", [True, False])
@pytest.mark.parametrize("keras_name", KERAS)
def test_a_model_of_ones_own_loads_them(
    keras_name: str, by_name: bool, names: tuple[list[str], list[str]], tmp_path: Path
) -> None:
    """By name as far as this Keras bears the names: Keras 3 no slash, Keras 2 no colon."""
    keras = pytest.importorskip(keras_name)
    path = written(net(names[0]), tmp_path).weights
    refused = "/" if keras_name == "keras" else ":"
    called = [None if refused in name else name for name in names[1]]
    model = a_model(keras, called if by_name else [None] * len(called))
    model.load_weights(str(path), **({"by_name": True} if by_name else {}))
    for layer, name, kernel in zip(model.layers[1:], called, kernels(names[0]), strict=True):
        if not by_name or name is not None:
            np.testing.assert_array_equal(layer.get_weights()[0], kernel.T)


def a_model(keras: Any, names: list[str | None]) -> Any:
    x = image = keras.Input((3,))
    for number, name in enumerate(names):
        x = keras.layers.Dense(3, use_bias=False, name=name or f"of_its_own_{number}")(x)
    return keras.Model(image, x)


def test_the_command_says_what_it_changed(tmp_path: Path) -> None:
    text = write_text(tmp_path / "p", text_of(["/add", "add/"]))
    weights = write_caffemodel(tmp_path / "c", [("/add", [values(3, 3)]), ("add/", [values(3, 3)])])
    outcome = caffeconv("-f", "py", tmp_path / "out", text, weights)
    assert (outcome.status, outcome.err.splitlines()) == (0, [
        'warning: slashes that no Keras layer can have are left out of names: "/add" -> "add"',
        'warning: names that no file of weights can hold beside the others are changed: "add/" -> "add_2"',
    ])  # fmt: skip
    (tmp_path / "names").write_text("/add=add\nadd/=add\n")
    refused = caffeconv("--rename", tmp_path / "names", tmp_path / "other", text, weights)
    assert (refused.status, refused.err) == (1, 'error: layers "/add" and "add/" would both be called "add"\n')


@pytest.mark.parametrize("keras_name", KERAS)
def test_a_layer_without_weights_may_be_called_as_a_group(
    keras_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    using(monkeypatch, keras_name)
    text = input_text("data", 1, 3) + layer_text("a", "ReLU", "data", "r")
    text += layer_text("a/b", "InnerProduct", "r", "x", DENSE)
    files = write_text(tmp_path / "p", text), write_caffemodel(tmp_path / "c", [("a/b", [values(3, 3)])])
    assert caffeconv("--include-non-weight", "-f", "py", tmp_path / "out", *files).status == 0
    module = imported(tmp_path / "out.py")
    model = module.build_model()
    module.load_weights(model, str(tmp_path / "out.h5"))
    np.testing.assert_array_equal(model.get_weights()[0], values(3, 3).T)


@pytest.mark.parametrize("keras_name", KERAS)
def test_two_of_one_name_that_share_their_weights(
    keras_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    using(monkeypatch, keras_name)
    shared = f'{DENSE} param {{ name: "w" }}'
    text = input_text("data", 1, 3) + layer_text("a", "InnerProduct", "data", "r", shared)
    text += layer_text("a", "InnerProduct", "r", "x", shared)
    model = written(net_of(text, [("a", [values(3, 3)])]), tmp_path).filled()
    assert [layer.name for layer in model.layers if layer.weights] == ["a"]
    np.testing.assert_array_equal(model.get_weights(), [values(3, 3).T])
    with h5py.File(tmp_path / "out.h5") as file:
        np.testing.assert_array_equal(file["a_2/a_2/kernel:0"][()], values(3, 3).T)
