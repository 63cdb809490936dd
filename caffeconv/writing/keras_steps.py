"""The graph in layers and operations of Keras' own alone.

What the functions of `functions` compute, and the classes with weights that a model in Python brings along, is taken
apart into operations by calling it with tensors that record what is done to them.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from caffeconv.errors import UnsupportedError
from caffeconv.keras import functions
from caffeconv.keras.building import product
from caffeconv.keras.graph import Edge, Held, Model, Node, keras_shape, needed_nodes
from caffeconv.model import MaybeShape, Net
from caffeconv.writing.keras_operations import Operations, Step, Tensor
from caffeconv.writing.unique_names import keras_names
from caffeconv.writing.weighted_operations import WITH_WEIGHTS, as_tensors

__all__ = ["taken_apart"]

_AS_THEY_COME = ("Activation", "BatchNormalization", "Dropout", "ELU", "PReLU", "ReLU", "Rescaling", "Softmax")
"""Layers whose outputs have the shape of their inputs."""


def taken_apart(net: Net, model: Model) -> tuple[list[Tensor], list[Tensor]]:
    """The inputs of a model and its outputs, behind which stand the steps that they are made in.

    Raises:
        UnsupportedError: a layer that the outputs are made of has no form in Keras' own layers and operations.
    """
    numbers = needed_nodes(model)
    nodes = {number: model.nodes[number] for number in numbers}
    names = dict(zip(numbers, keras_names(list(nodes.values())), strict=True))
    held = {value.edge: value.held for value in (*model.values.values(), *model.inputs)}
    ops = Operations()
    made: dict[int, list[Tensor]] = {}
    first: dict[int, Step] = {}
    for number, node in nodes.items():
        values = [made[edge.node][edge.output] for edge in node.inputs]
        shapes = [_shape(held.get(Edge(number, output)), node, values) for output in range(node.outputs)]
        try:
            if node.twin in first:
                made[number] = ops.again(first[node.twin], _one_or_more(values), shapes)
            else:
                if node.twin is not None:  # of several layers in the archive, none of which can be called again
                    node = dataclasses.replace(node, weights=nodes[node.twin].weights)
                made[number] = _made(ops, node, names[number], values, shapes)
        except UnsupportedError as error:
            raise UnsupportedError(f"{_whose(net, node)}: {error}; use --format py for this net") from None
        if node.weights and made[number][0].step.weights:
            first[number] = made[number][0].step
    inputs = [made[value.edge.node][0] for value in model.inputs if value.edge.node in made]
    outputs = [_as_output(ops, made[value.edge.node][value.edge.output]) for _, value in model.outputs]
    if not inputs:
        raise UnsupportedError("the net has no inputs or no outputs, and Keras has no such model")
    return inputs, outputs


def _as_output(ops: Operations, tensor: Tensor) -> Tensor:
    """The tensor; an input with a layer behind it, since Keras 3.10 refuses inputs that no layer reads."""
    if tensor.step.class_name != "InputLayer":
        return tensor
    return ops.layer("Activation", tensor, [tensor.sizes], f"{tensor.step.name}_output", activation="linear")[0]


def _whose(net: Net, node: Node) -> str:
    if not node.origins:
        return node.name
    layer = net.layers[node.origins[0]]
    return f"{layer.name} ({layer.type})"


def _one_or_more(values: list[Tensor]) -> Any:
    return values[0] if len(values) == 1 else values


def _made(ops: Operations, node: Node, name: str, values: list[Tensor], shapes: Sequence[MaybeShape]) -> list[Tensor]:
    """What a node gives."""
    call = node.built or node.call
    if node.problem is not None or call is None:
        raise UnsupportedError(node.problem or "Keras has no such layer")
    arguments = dict(call.arguments)
    if node.part == "input":
        return _input(ops, name, shapes[0])
    function = WITH_WEIGHTS.get(call.class_name)
    if function is None and call.class_name not in functions.CLASSES:
        if call.class_name == "Dense" and values[0].sizes is not None:
            _check_features(node, values[0].sizes[-1])
        if call.class_name == "Rescaling":
            arguments.setdefault("offset", 0.0)  # looked for by its `from_config`, without a default
        return ops.layer(call.class_name, _one_or_more(values), shapes, name, node.weights, **arguments)
    ops.place = name
    try:
        if function is not None:
            given = function(ops, name, {weight.name: weight for weight in node.weights}, values, **arguments)
        else:
            arrays = as_tensors(ops, name, node.weights, values[0]) if node.weights else []
            given = functions.bound(call.class_name, ops)(*values, *arrays, **arguments)
    except TypeError:
        # Sizes are reckoned with; where one is None, that is what cannot be done.
        if all(value.sizes is not None and None not in value.sizes[1:] for value in values):
            raise
        raise UnsupportedError("the sizes of its bottom are not all known") from None
    if isinstance(given, np.ndarray):
        return [ops.repeated(values[0], given)]
    return list(given) if isinstance(given, list | tuple) else [given]


def _check_features(node: Node, given: int | None) -> None:
    """A file whose kernel does not fit what it is multiplied with would be written, and not load."""
    taken = node.weights[0].shape[0] if node.weights else given
    if given not in (None, taken):
        raise UnsupportedError(f"its kernel takes {taken} values, of which its bottom has {given}")


def _input(ops: Operations, name: str, shape: MaybeShape) -> list[Tensor]:
    if shape is None or (None in shape[-1:] and len(shape) > 1):
        raise UnsupportedError("an input whose number of axes and channels the net does not tell (give --input-shape)")
    return ops.layer("InputLayer", None, [shape], name, batch_shape=list(shape), dtype="float32")


def _shape(held: Held | None, node: Node, values: Sequence[Tensor]) -> MaybeShape:
    """What is known of an output's shape, the batch left open: for layers, from Caffe or else from their inputs."""
    call = node.built or node.call
    first = values[0].sizes if values else None
    arguments = dict(call.arguments) if call is not None else {}
    if first is not None and call is not None and call.class_name in _AS_THEY_COME:
        return first
    if first is not None and call is not None and call.class_name == "Dense":
        return (*first[:-1], arguments["units"])
    shape = keras_shape(held) if held is not None and held.layout != "unknown" else None
    if shape is not None:
        return (None, *shape[1:])
    if first is None or call is None:
        return None
    if call.class_name in ("Add", "Multiply"):  # of a bottom, and what is repeated along it
        return first
    if call.class_name == "Permute":
        return (first[0], *(first[axis] for axis in arguments["dims"]))
    if call.class_name == "Flatten":
        return (first[0], product(first[1:]))
    if call.class_name == "Reshape":
        return (first[0], *_without_unknown(arguments["target_shape"], product(first[1:])))
    if call.class_name.startswith("ZeroPadding"):
        pads = _pads(arguments["padding"], len(first) - 2)
        return (first[0], *(n and n + sum(pad) for n, pad in zip(first[1:-1], pads, strict=True)), first[-1])
    return None


def _without_unknown(target: Sequence[int], size: int | None) -> Iterator[int | None]:
    """The shape, with what -1 stands for among so many values."""
    rest = math.prod(each for each in target if each != -1)
    for each in target:
        yield each if each != -1 else None if size is None or not rest else size // rest


def _pads(padding: Any, axes: int) -> Sequence[Sequence[int]]:
    """As pairs: one number for all, a number or a pair for each axis, or the one pair of the one axis."""
    if isinstance(padding, int):
        return [(padding, padding)] * axes
    if axes == 1:
        return [padding]
    return [(each, each) if isinstance(each, int) else each for each in padding]
