"""Caffe's images are BGR as a rule; this turns what reads them round for RGB."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Literal, TypeAlias

import numpy as np

from caffeconv.keras.adjust.edits import Rewriting, argument, changed_arrays, has_class, layer_of
from caffeconv.keras.graph import Edge, Held, Model, Node
from caffeconv.model import KerasCall, Net, Note, Weight

__all__ = ["bgr_to_rgb"]

_COLOURS = 3

Way: TypeAlias = Literal["plain", "through", "absorbed"]
"""A node as it was; one that gives its channels in the order in which it takes them, if they are all turned; one whose
kernel takes them turned."""

_THROUGH = (
    "AveragePooling", "CaffeAveragePooling", "CaffeMaxPooling", "Cropping", "GlobalAveragePooling", "GlobalMaxPooling",
    "MaxPooling", "UpSampling", "WeightedPooling", "ZeroPadding",
)  # fmt: skip
"""Classes, by the begin of their names, that treat every channel in the same way, as all of `_BY_VALUE` do."""
_BY_VALUE = frozenset({
    "Absolute", "Activation", "Add", "Clip", "Dropout", "ELU", "Exponential", "HardSwish", "Interpolate", "LRN",
    "LRNWithin", "LeakyReLU", "Logarithm", "MVN", "Maximum", "Minimum", "Multiply", "PadLowest", "Power", "ReLU",
    "Rescaling", "Subtract", "Swish", "Threshold",
})  # fmt: skip
_VECTORS = frozenset({"BatchNormalization", "Normalize", "PReLU"})
"""Classes with one value a channel in each of their arrays."""
_NOT_TURNED = (
    "reads an image, but has no weights that can be turned from BGR to RGB: a model of your own must turn the channels "
    "back before it, as that of --format py does"
)
_BLIND = frozenset({"PriorBox"})
"""Classes that look at no value of an image."""


def bgr_to_rgb(model: Model, net: Net) -> Model:
    """The graph for images whose three channels come in the other order.

    From each input of three channels on, layers that work channel by channel get their arrays turned round, up to
    and including the convolutions that mix the channels. Before whatever cannot be turned, the model turns the
    channels back, and a warning says so, since a file of weights cannot.
    """
    new = Rewriting(model)
    turned = {value.edge for value in model.inputs if _is_image(value.held)}
    if not turned:
        none = Note("warning", None, "no layer reads an image of three channels, so nothing is turned to RGB")
        return dataclasses.replace(model, notes=(*model.notes, none))
    ways: dict[int, Way] = {}
    other_way_round: dict[Edge, Edge] = {}
    notes: dict[Note, None] = {}
    for number, node in enumerate(model.nodes):
        ways[number] = way = _way(node, model, turned, ways)
        if node.twin is not None and node.weights and way != ways[node.twin]:
            node = dataclasses.replace(node, twin=None)
        wanted = way != "plain"
        inputs = [
            new.edges[edge] if (edge in turned) is wanted else _other_way_round(new, edge, other_way_round)
            for edge in node.inputs
        ]
        if has_class(node, *_BLIND):
            inputs = [new.edges[edge] for edge in node.inputs]
        elif not wanted and any(edge in turned for edge in node.inputs):
            notes[Note("warning", layer_of(net, node), _NOT_TURNED)] = None
        if wanted and node.weights:
            node = dataclasses.replace(node, weights=_turned_weights(node, way))
            notes[Note("info", layer_of(net, node), "turned from BGR to RGB")] = None
        new.take(number, node, inputs)
        if way == "through":
            turned.add(Edge(number))
    given = [value.edge for _, value in model.outputs if value.edge in turned]
    outputs = {edge: _other_way_round(new, edge, other_way_round) for edge in given}
    return dataclasses.replace(new.finished(list(notes), outputs=outputs), turned=True)


def _is_image(held: Held) -> bool:
    shape = held.shape
    return held.layout == "last" and shape is not None and len(shape) > 3 and shape[1] == _COLOURS


def _other_way_round(new: Rewriting, edge: Edge, known: dict[Edge, Edge]) -> Edge:
    """What an edge of the old graph became, with its channels in the other order."""
    if edge not in known:
        name = f"{new.model.nodes[edge.node].name}_turned"
        known[edge] = new.add(Node(name, KerasCall("Flip", (("axis", -1),)), (new.edges[edge],), part="glue"))
    return known[edge]


def _way(node: Node, model: Model, turned: set[Edge], ways: Mapping[int, Way]) -> Way:
    """How a node takes its inputs; one that calls a layer again, without arrays of its own, as that layer does."""
    if node.twin is not None and not node.weights:
        return ways[node.twin]
    if not node.inputs or node.problem is not None or not all(edge in turned for edge in node.inputs):
        return "plain"
    if not node.weights:
        return "through" if has_class(node, *_THROUGH) or _class_name(node) in _BY_VALUE else "plain"
    kernel = node.weights[0]
    if _class_name(node) in _VECTORS:
        return "through" if argument(node, "axis") is None else "plain"
    if has_class(node, "DepthwiseConv"):
        return "through" if kernel.shape[-1] == 1 else "plain"
    return "absorbed" if has_class(node, "Conv") and kernel.shape[_inputs_axis(node)] == _COLOURS else "plain"


def _class_name(node: Node) -> str:
    return "" if node.call is None else node.call.class_name


def _inputs_axis(node: Node) -> int:
    """Of the kernel of a convolution."""
    return -1 if _class_name(node).endswith("Transpose") else -2


def _turned_weights(node: Node, way: Way) -> tuple[Weight, ...]:
    """The kernel of a convolution along its inputs; what goes channel by channel, along the channels."""
    if way == "absorbed":
        axes = {node.weights[0].name: _inputs_axis(node)}
    elif has_class(node, "DepthwiseConv"):
        axes = {node.weights[0].name: -2, "bias": -1}
    else:
        axes = {weight.name: -1 for weight in node.weights}
    return changed_arrays(node, {name: functools.partial(np.flip, axis=axis) for name, axis in axes.items()})
