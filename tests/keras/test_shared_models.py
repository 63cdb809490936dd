"""Public models: their weights in real Keras, held against plain formulas over the arrays that Caffe stored."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from caffeconv.compat import convert_caffemodel_to_dict
from caffeconv.keras.conversion import convert
from caffeconv.model import Array
from caffeconv.net.loading import load_net
from tests.support.described_models import KERAS, Described, Layers, make
from tests.support.flattened_maps import flattened
from tests.support.shared_data import MODELS, needs_models, weights_of

Stored = dict[str, Any]

ORDER_UNKNOWN = {"mxnet2caffe_residual/fc"}
"""Behind a blob that no layer makes: left in Caffe's order."""
SIZE_UNKNOWN = {"h5_cmsisnn_cifar10_m4/ip1": 32, "lenet_compress_gongcheng/ip1": 50}
"""Behind maps of a size that the prototxt does not say: their channels, counted in it. The rest of K is pixels."""


@needs_models
@pytest.mark.parametrize("folder", MODELS, ids=lambda folder: folder.name)
def test_loads_what_caffe_stored(folder: Path, tmp_path: Path) -> None:
    files = (folder / "deploy.prototxt", weights_of(folder))
    layers = Layers(convert(load_net(*files, allow_missing=["all"])), tmp_path)
    stored = convert_caffemodel_to_dict(*files, allow_missing=["all"])
    learned = {layer["name"]: layer for layer in stored if layer["weights"]}
    assert set(layers.of) == set(learned)
    described = {layer["name"]: layer for each in layers.of.values() for layer in each}
    assert {f"{folder.name}/{name}" for name, (layer, *_) in layers.of.items() if is_left(layer)} == {
        case for case in ORDER_UNKNOWN if case.startswith(f"{folder.name}/")
    }
    for name in KERAS:
        model = layers.load_into(all_in_one(pytest.importorskip(name), list(described.values())))
        for layer in described.values():
            blobs = [blob for origin in layer["caffe_layers"] for blob in learned[origin]["weights"]]
            first = learned[layer["caffe_layers"][0]]
            channels = SIZE_UNKNOWN.get(f"{folder.name}/{layer['name']}")
            expected = list(formula(first, blobs, layer, stored, channels))
            got = model.get_layer(layer["name"]).get_weights()
            for value, array in zip(got, expected, strict=True):
                assert value.shape == array.shape, layer["name"]
                np.testing.assert_allclose(value, array, rtol=1e-6, err_msg=layer["name"])


def is_left(layer: Described) -> bool:
    return any(map(is_about_order, layer["notes"]))


def is_about_order(note: Stored) -> bool:
    return note["level"] == "warning" and "order of its inputs cannot be known" in note["text"]


def all_in_one(keras: Any, described: list[Described]) -> Any:
    """One model of all the layers, each with an input of its own, none connected to another."""
    inputs, outputs = [], []
    for layer in described:
        inputs.append(keras.Input(input_shape(layer)))
        outputs.append(make(keras, layer["keras"], name=layer["name"])(inputs[-1]))
    return keras.Model(inputs, outputs)


def input_shape(layer: Described) -> tuple[int | None, ...]:
    """The least that the Keras layer must know of its input."""
    kind, arguments, shape = layer["keras"]["class_name"], layer["keras"]["arguments"], layer["weights"][0]["shape"]
    if kind == "Conv2D":
        return (None, None, shape[2] * arguments.get("groups", 1))
    if kind == "DepthwiseConv2D":
        return (None, None, shape[2])
    if kind == "Conv2DTranspose":
        return (None, None, shape[3])
    if kind == "PReLU":
        return (*[None] * (len(shape) - 1), shape[-1])
    return (shape[0],)


def formula(
    first: Stored, blobs: list[Array], layer: Described, stored: list[Stored], channels: int | None
) -> Iterator[Array]:
    kind = layer["keras"]["class_name"]
    if kind == "BatchNormalization":
        yield from normalization(first["type"], blobs)
    elif kind == "Dense":
        bottom, features = first["bottoms"][0], blobs[0].shape[1]
        assert (bottom[1] is None) == (channels is not None or is_left(layer))
        maps = (
            [(channels, features // channels)] if channels else [] if bottom[1] is None else flattened(bottom, stored)
        )
        yield blobs[0].T[channels_last_rows(maps) if maps else slice(None)]
        yield from blobs[1:]
    elif kind == "PReLU":
        yield blobs[0].reshape([1] * (len(layer["weights"][0]["shape"]) - 1) + [-1])
    elif kind == "DepthwiseConv2D":
        count, _, height, width = blobs[0].shape
        yield np.array([[blobs[0][:, 0, y, x, np.newaxis] for x in range(width)] for y in range(height)])
        assert "depth_multiplier" not in layer["keras"]["arguments"], count
        yield from blobs[1:]
    elif kind == "Conv2DTranspose":
        yield transposed_convolution(blobs[0], layer["weights"][0]["shape"])
        yield from blobs[1:]
    else:
        assert kind == "Conv2D"
        height, width = blobs[0].shape[2:]
        yield np.array([[blobs[0][:, :, y, x].T for x in range(width)] for y in range(height)])
        yield from blobs[1:]


def normalization(caffe_type: str, blobs: list[Array]) -> Iterator[Array]:
    if caffe_type == "Scale":
        yield from blobs
        yield np.zeros_like(blobs[0])
        yield np.full_like(blobs[0], 1 - 1e-3)
        return
    mean, variance, factor, *scales = blobs
    yield from scales
    yield mean / factor if factor[0] else mean * 0
    yield variance / factor if factor[0] else variance * 0


def transposed_convolution(blob: Array, shape: list[int]) -> Array:
    """kernel[y, x, output, input], zero where input and output are in different groups."""
    inputs, per_group = blob.shape[:2]
    kernel = np.zeros(shape, np.float32)
    for index in range(inputs):
        group = index * (shape[2] // per_group) // inputs
        for output in range(per_group):
            kernel[:, :, group * per_group + output, index] = blob[index, output]
    return kernel


def channels_last_rows(maps: Sequence[tuple[int, ...]]) -> list[int]:
    """Where Caffe has the features that Keras' Flatten puts at 0, 1, 2, …, of maps (C, pixels…)."""
    rows: list[int] = []
    for channels, *sizes in maps:
        area, start = math.prod(sizes), len(rows)
        rows += [start + channel * area + pixel for pixel in range(area) for channel in range(channels)]
    return rows
