"""Graphs of nets, computed node by node by real Keras, and their blobs brought back to Caffe's order of axes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

import numpy as np

from caffeconv.keras import functions
from caffeconv.keras.graph import Edge, Held, Model, Node
from caffeconv.model import Array, PartialShape
from tests.support.flattened_maps import channels_last, flattened_channels_last

__all__ = ["array_of", "blobs", "computed", "in_caffes_order", "in_keras_order", "outputs"]

Outputs = dict[int, tuple[Any, ...]]
"""Number of a node -> what it gives."""


def computed(keras: ModuleType, model: Model, given: Mapping[str, Array]) -> Outputs:
    """What each node gives, for inputs by name and in Caffe's order.

    Nodes that cannot be built lack, and so do those that a class of a written model stands for, and all behind them.
    """
    import keras as with_ops  # tf_keras has no `ops`; those of Keras take its tensors

    own = {name: functions.bound(name, with_ops.ops) for name in functions.CLASSES}
    held = {value.edge.node: value.held for value in model.inputs}
    outputs: Outputs = {}
    layers: dict[int, Any] = {}
    for number, node in enumerate(model.nodes):
        if node.part == "input":
            if node.name in given:
                array = np.asarray(in_keras_order(given[node.name], held[number]), np.float32)
                outputs[number] = (with_ops.ops.convert_to_tensor(array),)
            continue
        call = node.built or node.call
        if node.problem is not None or call is None or any(edge.node not in outputs for edge in node.inputs):
            continue
        values = [outputs[edge.node][edge.output] for edge in node.inputs]
        if call.class_name in own:
            arrays = [np.ascontiguousarray(weight.array) for weight in node.weights]
            made = own[call.class_name](*values, *map(with_ops.ops.convert_to_tensor, arrays), **dict(call.arguments))
        elif node.built is not None:
            continue
        else:
            layers[number] = layers[node.twin] if node.twin is not None else _layer(keras, node, values)
            made = layers[number](values if len(values) > 1 else values[0])
        outputs[number] = tuple(made) if node.outputs > 1 else (made,)
        assert len(outputs[number]) == node.outputs
    return outputs


def _layer(keras: ModuleType, node: Node, values: Sequence[Any]) -> Any:
    """The layer with its weights."""
    assert node.call is not None
    layer = getattr(keras.layers, node.call.class_name)(**dict(node.call.arguments))
    layer(values if len(values) > 1 else values[0])
    layer.set_weights([weight.array for weight in node.weights])
    return layer


def array_of(tensor: Any) -> Array:
    """A tensor of any backend."""
    return np.asarray(tensor.detach().cpu() if hasattr(tensor, "detach") else tensor)


def in_keras_order(array: Array, held: Held) -> Array:
    """A blob of Caffe's, in that layout."""
    return channels_last(array) if held.layout == "last" and array.ndim > 2 else array


def in_caffes_order(array: Any, held: Held) -> Array:
    """The blob of Caffe's that is held so."""
    result = array_of(array)
    if held.layout != "flat":
        assert held.layout in ("axes", "last")
        return np.moveaxis(result, -1, 1) if held.layout == "last" and result.ndim > 2 else result
    features = result.shape[1]
    places = flattened_channels_last(np.arange(features)[np.newaxis], _whole(held.segments, features))
    ordered = np.empty_like(result)
    ordered[:, places[0]] = result
    return ordered


def _whole(segments: Sequence[PartialShape], features: int) -> list[tuple[int, ...]]:
    """The segments, of which one may have unknown sizes; as pixels they stand for one axis."""
    if all(size is not None for segment in segments for size in segment):
        return [tuple(size or 0 for size in segment) for segment in segments]
    known = sum(math.prod(size or 0 for size in each) for each in segments if None not in each)
    return [
        (each[0] or 0, (features - known) // (each[0] or 1)) if None in each else tuple(size or 0 for size in each)
        for each in segments
    ]


def blobs(model: Model, outputs: Outputs) -> dict[tuple[int, int], Array]:
    """The blobs of Caffe's that are computed, by layer and top, in Caffe's order of axes."""
    return {
        (source.layer, source.top): in_caffes_order(_value(outputs, value.edge), value.held)
        for source, value in model.values.items()
        if value.edge.node in outputs and value.held.layout != "unknown"
    }


def outputs(model: Model, computed: Outputs) -> dict[str, Array]:
    """The outputs of the model, by the names of Caffe's blobs."""
    return {
        name: in_caffes_order(_value(computed, value.edge), value.held)
        for name, value in model.outputs
        if value.edge.node in computed
    }


def _value(outputs: Outputs, edge: Edge) -> Any:
    return outputs[edge.node][edge.output]
