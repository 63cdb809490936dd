"""Names of layers that a file of weights can hold: HDF5 itself and the writer's own checks say which those are."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from caffeconv.keras.stored_names import attribute_count, numbered, placed_apart, storable_name
from caffeconv.model import LayerWeights, Weight
from caffeconv.writing.keras_h5 import write_keras_h5

LONG = "x" * 64512
"""It fits without arrays alone."""


@pytest.mark.parametrize("name", ["a", "a/b", "..", "a/../b", "_a", "a b", "größe ☃", "A", "kernel:0", "model_weights"])
def test_what_can_be_held_stays(name: str) -> None:
    assert storable_name(name, ["kernel"]) == name


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        pytest.param("", "layer", id="empty"),
        pytest.param(".", "layer", id="dot"),
        pytest.param("//", "layer", id="slashes"),
        pytest.param("\0", "layer", id="nul"),
        pytest.param("/a", "a", id="in-front"),
        pytest.param("a/", "a", id="behind"),
        pytest.param("a//b", "a/b", id="two"),
        pytest.param("./a/./b", "a/b", id="dots"),
        pytest.param("a\0b", "a_b", id="nul-inside"),
        pytest.param("\0a", "a", id="nul-in-front"),
        pytest.param("a\ud800", "a_", id="no-unicode"),
        pytest.param("top_level_model_weights", "layer_top_level_model_weights", id="reserved"),
        pytest.param("/top_level_model_weights/a", "layer_top_level_model_weights/a", id="below-reserved"),
        pytest.param(LONG, "x" * 200, id="no-room-for-its-arrays"),
        pytest.param("é" * 40000, "é" * 100, id="cut-between-letters"),
    ],
)
def test_others_become_like_names(name: str, stored: str, tmp_path: Path) -> None:
    assert storable_name(name, ["kernel"]) == stored
    assert storable_name(stored, ["kernel"]) == stored
    assert layers_in(tmp_path / "x.h5", [stored]) == [stored]


def layers_in(path: Path, names: list[str]) -> list[str]:
    """The layers of a file that is written with these names, as Keras finds them."""
    arrays = [Weight("kernel", np.full(2, number, "f4"), (2,)) for number in range(len(names))]
    layers = [LayerWeights(name, "Convolution", (name,), (array,)) for name, array in zip(names, arrays, strict=True)]
    write_keras_h5(path, layers)
    with h5py.File(path) as file:
        listed = [
            name.decode()
            for key in sorted(key for key in file.attrs if key.startswith("layer_names"))
            for name in file.attrs[key]
        ]
        for number, name in enumerate(listed):
            (weight,) = file[name].attrs["weight_names"]
            assert file[name][weight][()].tolist() == [number, number]
    return listed


def test_room_is_for_the_name_with_the_longest_of_its_arrays() -> None:
    assert storable_name(LONG) == LONG
    fits = "x" * (64512 - len("/kernel:0"))
    assert storable_name(fits, ["kernel", "bias"]) == fits
    assert len(storable_name(fits + "x", ["bias", "kernel"])) == 200


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        pytest.param(["a", "a/b", "a/a", "a/a/a"], ["a", "a/b", "a/a", "a/a/a"], id="right"),
        pytest.param(["a", "a/a/kernel:0"], ["a", "a_a_kernel:0"], id="on-an-array"),
        pytest.param(["a/a/kernel:0/b", "a"], ["a_a_kernel:0_b", "a"], id="below-an-array"),
        pytest.param(["kernel:0", "kernel:0/kernel:0"], ["kernel:0", "kernel:0_kernel:0"], id="deep-on-an-array"),
        pytest.param(["model_weights", "y" * 40000], ["layer_model_weights", "y" * 40000], id="spread"),
    ],
)
def test_places_apart(names: list[str], expected: list[str], tmp_path: Path) -> None:
    placed = placed_apart(names, [["kernel"]] * len(names))
    assert placed == expected
    assert layers_in(tmp_path / "x.h5", placed) == expected


def test_numbers_go_on_from_two() -> None:
    assert numbered("a", {"a"}) == "a_2"
    assert numbered("a", {"a", "a_2", "a_3"}) == "a_4"


def test_a_list_takes_as_many_attributes_as_it_must() -> None:
    assert [attribute_count(*each) for each in ((0, 0), (1008, 64), (1009, 64), (11, 20000))] == [1, 1, 2, 4]
