"""What is said of pooling layers, built in Keras: Caffe's sizes, and Caffe's values where no note says otherwise."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from caffeconv import convert, load_net
from caffeconv.keras.description import describe_result
from tests.support.described_models import assert_close, make
from tests.support.places import FIXTURES

NET = FIXTURES / "pooling_spellings"
Image = npt.NDArray[np.float32]

# Stochastic pooling draws its values, or weighs them by themselves; Keras has no layer for it.
NOT_IN_KERAS = {"stochastic"}


def listed() -> list[Any]:
    """The pooling layers of the fixture, as real Caffe lists them."""
    layers: list[Any] = json.loads((NET / "caffe.json").read_text())["layers"]
    return [layer for layer in layers if layer["type"] == "Pooling"]


def described() -> dict[str, Any]:
    result = convert(load_net(NET / "net.prototxt"), include_layers_without_weights=True)
    return {layer["name"]: layer for layer in describe_result(result)["layers"]}


@pytest.mark.parametrize("layer", [pytest.param(layer, id=layer["name"]) for layer in listed()])
def test_pools_to_caffes_sizes_and_values(keras: Any, layer: dict[str, Any]) -> None:
    says = described()[layer["name"]]
    if layer["name"] in NOT_IN_KERAS:
        assert says["keras"] is None
        return
    batch, channels, height, width = layer["bottoms"][0][1]
    image = np.random.default_rng(1).random((batch, height, width, channels), dtype=np.float32)
    pooled: Any = image
    for call in (*says["before"], says["keras"]):
        pooled = make(keras, call)(pooled)
    pooled = np.moveaxis(np.asarray(pooled), -1, 1)
    assert list(pooled.shape) == layer["tops"][0][1]
    if any("values differ" in note["text"] for note in says["notes"]):
        return
    assert_close(pooled, naive_pooling(np.moveaxis(image, -1, 1), pooled.shape, says))


def naive_pooling(image: Image, shape: tuple[int, ...], says: dict[str, Any]) -> Image:
    """Window by window over what is inside the image, as pooling_layer.cpp does; the padding counts in averages."""
    arguments = says["keras"]["arguments"]
    size = arguments.get("pool_size", image.shape[2:])
    stride = arguments.get("strides", (1, 1))
    pads = says["before"][0]["arguments"]["padding"] if says["before"] else ((0, 0), (0, 0))
    pooled = np.zeros(shape, np.float32)
    for row, column in np.ndindex(shape[2:]):
        top, left = row * stride[0] - pads[0][0], column * stride[1] - pads[1][0]
        inside = image[:, :, max(top, 0) : top + size[0], max(left, 0) : left + size[1]]
        if "Max" in says["keras"]["class_name"]:
            pooled[:, :, row, column] = inside.max(axis=(2, 3))
        else:
            pooled[:, :, row, column] = inside.sum(axis=(2, 3)) / (size[0] * size[1])
    return pooled


def test_few_values_are_said_to_differ() -> None:
    """The values of these are not compared above, so there must be few of them."""
    assert {
        name for name, layer in described().items() if any("values differ" in note["text"] for note in layer["notes"])
    } == {"average", "height_width", "stride_beyond_kernel"}
