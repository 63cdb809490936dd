"""Keras models made of nothing but what a conversion says of its layers (`describe_result`), for any Keras."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from caffeconv.keras.adjust.renaming import rename_layers
from caffeconv.keras.conversion import convert
from caffeconv.keras.description import describe_result
from caffeconv.model import Array, Blob, Net, Result
from caffeconv.net.loading import load_net
from caffeconv.writing.keras_h5 import write_keras_h5

__all__ = [
    "KERAS", "Described", "Layers", "assert_close", "chain", "converted", "make", "one_layer", "recurrent", "small_net",
]  # fmt: skip

KERAS = ("tf_keras", "keras")
Described = dict[str, Any]


class Layers:
    """A converted net: the file of weights, and its layers as data, by name and by the Caffe layers they come from."""

    def __init__(self, result: Result, folder: Path) -> None:
        # No layer of Keras 3 has a slash in its name, none of Keras 2 other signs than these.
        names = {layer.name: re.sub(r"[^A-Za-z0-9_.\\/>-]", "_", layer.name).strip("/") for layer in result.layers}
        self.result = rename_layers(result, names, slash="_")
        self.path = str(folder / "net.h5")
        write_keras_h5(self.path, self.result.layers)
        described = describe_result(self.result)
        self.notes = {f"{note['level']}: {note['text']}" for note in described["notes"]}
        self.of: dict[str, list[Described]] = {}
        for layer in described["layers"]:
            for origin in layer["caffe_layers"]:
                self.of.setdefault(origin, []).append(layer)

    def load_into(self, model: Any) -> Any:
        model.load_weights(self.path, by_name=True)
        return model


def converted(folder: Path, into: Path, **options: Any) -> Layers:
    """The net of a fixture, converted."""
    return Layers(convert(load_net(folder / "net.prototxt", folder / "net.caffemodel"), **options), into)


def one_layer(folder: Path, type_name: str, param: str, bottom: Sequence[int], blobs: Sequence[Array]) -> Net:
    """An input and a layer "it" with such weights."""
    layer = f'layer {{ name: "it" type: "{type_name}" bottom: "data" top: "it" {param} }}'
    return small_net(folder, bottom, layer, {"it": blobs})


def small_net(folder: Path, bottom: Sequence[int], text: str, blobs: Mapping[str, Sequence[Array]]) -> Net:
    """The layers of `text` behind an input "data" of shape `bottom`, with weights by layer name."""
    dims = " ".join(f"dim: {size}" for size in bottom)
    data = f'layer {{ name: "data" type: "Input" top: "data" input_param {{ shape {{ {dims} }} }} }}\n'
    (folder / "net.prototxt").write_text(data + text)
    net = load_net(folder / "net.prototxt")
    layers = (replace(layer, blobs=tuple(map(Blob, blobs.get(layer.name, ())))) for layer in net.layers)
    return replace(net, layers=tuple(layers))


def make(keras: Any, call: Described, **more: Any) -> Any:
    """The Keras layer that a class name and its arguments stand for."""
    return getattr(keras.layers, call["class_name"])(**call["arguments"], **more)


def chain(keras: Any, described: Sequence[Described], shape: Sequence[int | None]) -> Any:
    """The layers one behind the other, each between what must stand before and after it."""
    inputs = output = keras.Input(tuple(shape))
    for layer in described:
        for call in layer["before"]:
            output = make(keras, call)(output)
        output = make(keras, layer["keras"], name=layer["name"])(output)
        for call in layer["after"]:
            output = make(keras, call)(output)
    return keras.Model(inputs, output)


def recurrent(keras: Any, described: Sequence[Described], features: int, states: int) -> Any:
    """A recurrent layer whose first states are inputs and whose last states are outputs, and what comes behind it."""
    first, *others = described
    layer = make(keras, first["keras"], name=first["name"], return_state=True)
    sequence = keras.Input((None, features))
    begin = [keras.Input((first["keras"]["arguments"]["units"],)) for _ in range(states)]
    output, *end = layer(sequence, initial_state=begin)
    for other in others:
        output = make(keras, other["keras"], name=other["name"])(output)
    return keras.Model([sequence, *begin], [output, *end])


def assert_close(got: Any, expected: Array, tolerance: float = 1e-5) -> None:
    """Equal, up to `tolerance` of the largest number there is."""
    got = np.asarray(got.detach().cpu() if hasattr(got, "detach") else got)
    assert got.shape == expected.shape
    assert np.isfinite(got).all()
    assert np.abs(got - expected).max() <= tolerance * np.abs(expected).max()
