"""Caffe's images are BGR as a rule; this turns what reads them round for RGB."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from caffeconv.keras.adjust.edits import argument, by_origin, changed_arrays, has_class, replaced
from caffeconv.keras.rules.table import RULES
from caffeconv.model import Layer, LayerWeights, Net, Note, Result, Source

__all__ = ["bgr_to_rgb"]

_COLOURS = 3


def bgr_to_rgb(result: Result, net: Net) -> Result:
    """`result` for images whose three channels come in the other order.

    From each input of three channels on, layers that work channel by channel get their arrays turned round, up to
    and including the convolutions that mix the channels. A warning names whatever cannot be turned.
    """
    made = by_origin(result)
    images = set(_image_inputs(net))
    changed: dict[str, LayerWeights] = {}
    notes: list[Note] = []
    for index, layer in enumerate(net.layers):
        read = [source in images for source in layer.sources]
        channels = RULES[layer.type].channels if layer.type in RULES else "mixed"
        if not any(read) or channels == "unread":
            continue
        old = made.get(layer.name)
        keeps = channels == "kept" and all(read)
        if keeps and old is None:
            images.add(Source(index, 0))
            continue
        new = None if old is None else _turned_vectors(old) if keeps else _turned_kernel(old)
        if new is None:
            notes.append(Note("warning", layer.name, "reads an image, but cannot be turned from BGR to RGB"))
            continue
        changed[new.name] = new
        notes.append(Note("info", layer.name, "turned from BGR to RGB"))
        if keeps or has_class(new, "DepthwiseConv"):
            images.add(Source(index, 0))
    if not notes:
        notes.append(Note("warning", None, "no layer reads an image of three channels, so nothing is turned to RGB"))
    return replaced(result, changed, notes)


def _image_inputs(net: Net) -> list[Source]:
    """What layers without bottoms make: three channels or, in an unknown shape, what a convolution takes for that."""
    readers = net.readers()
    return [
        Source(index, top)
        for index, layer in enumerate(net.layers)
        if not layer.bottoms and not layer.blobs
        for top, shape in enumerate(layer.top_shapes)
        if (shape is not None and len(shape) > 3 and shape[1] == _COLOURS)
        or (shape is None and any(_takes_three(net.layers[reader]) for reader in readers.get(Source(index, top), ())))
    ]


def _takes_three(layer: Layer) -> bool:
    return layer.type == "Convolution" and bool(layer.blobs) and layer.blobs[0].shape[1:2] == (_COLOURS,)


def _turned_vectors(layer: LayerWeights) -> LayerWeights | None:
    """Arrays of one value a channel, channels last, or of one for all."""
    if layer.keras is None or layer.before or argument(layer, "axis") is not None:
        return None
    return _turned(layer, {weight.name: -1 for weight in layer.weights})


def _turned_kernel(layer: LayerWeights) -> LayerWeights | None:
    """The kernel of a convolution along its inputs; of one that works channel by channel, its bias as well."""
    kernel = layer.weights[0]
    if has_class(layer, "DepthwiseConv"):
        return _turned(layer, {kernel.name: -2, "bias": -1}) if kernel.shape[-1] == 1 else None
    transposed = layer.keras is not None and layer.keras.class_name.endswith("Transpose")
    inputs = -1 if transposed else -2
    if not has_class(layer, "Conv") or kernel.shape[inputs] != _COLOURS:
        return None
    return _turned(layer, {kernel.name: inputs})


def _turned(layer: LayerWeights, axes: Mapping[str, int]) -> LayerWeights:
    changes = {name: (lambda array, axis=axis: np.flip(array, axis)) for name, axis in axes.items()}
    return dataclasses.replace(layer, weights=changed_arrays(layer, changes))
