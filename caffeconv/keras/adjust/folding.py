"""BatchNormalizations with all four arrays, or none at all: worked into the layers before them."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Mapping

import numpy as np

from caffeconv.keras.adjust.edits import Rewriting, argument, count_readers, has_class, layer_of, without_arguments
from caffeconv.keras.graph import Edge, Model, Node
from caffeconv.model import Array, Net, Note, Weight

__all__ = ["complete_batchnorm", "fold_batchnorm"]

_NORM = "BatchNormalization"
_NEUTRAL = {"gamma": 1, "beta": 0}


def complete_batchnorm(model: Model, net: Net) -> Model:
    """The graph with gamma 1 and beta 0 wherever a BatchNormalization has none, as Keras' default arguments want it."""
    nodes: list[Node] = []
    notes = []
    for node in model.nodes:
        missing = [name for name in _NEUTRAL if name not in {weight.name for weight in node.weights}]
        completes = bool(node.weights and missing) and has_class(node, _NORM)
        nodes.append(_completed(node) if completes else node)
        if completes:
            notes.append(Note("info", layer_of(net, node), f"{' and '.join(missing)} added, which change nothing"))
    return dataclasses.replace(model, nodes=tuple(nodes), notes=(*model.notes, *notes))


def _completed(node: Node) -> Node:
    held = {weight.name: weight for weight in node.weights}
    shape = held["moving_mean"].shape
    for name, value in _NEUTRAL.items():
        held.setdefault(name, Weight(name, np.broadcast_to(np.float32(value), shape), shape))
    weights = tuple(held[name] for name in (*_NEUTRAL, "moving_mean", "moving_variance"))
    call, built = (without_arguments(each, "center", "scale") for each in (node.call, node.built))
    return dataclasses.replace(node, weights=weights, call=call, built=built)


def fold_batchnorm(model: Model, net: Net) -> Model:
    """The graph with every normalization that alone reads a convolution or Dense worked into that layer's arrays.

    y = (x·W + b − mean)·s + beta with s = gamma / √(variance + ε) becomes x·(W·s) + (b − mean)·s + beta. Scale and
    Bias, which are written as normalizations, are folded likewise. The folded layer gets a bias if it had none.
    """
    readers, new = count_readers(model), Rewriting(model)
    alone, called_again = _alone_with_origins(model), {node.twin for node in model.nodes if not node.weights}
    folded: dict[Edge, Edge] = {}
    gone: set[Edge] = set()
    notes: list[Note] = []
    for number, norm in enumerate(model.nodes):
        way = _way_back(model, norm, readers, folded) if number in alone else []
        place = new.numbers[way[-1].node] if way else 0
        if not way or way[-1].node in called_again or not _can_fold(new.nodes[place], norm):
            new.take(number, norm)
            continue
        new.nodes[place] = _folded(new.nodes[place], norm)
        _part(new.nodes, place)
        folded[Edge(number)] = way[0]
        new.edges[Edge(number)] = new.edges[way[0]]
        new.numbers[number] = place
        gone.update(way)
        target = new.nodes[place].name
        notes.append(Note("info", layer_of(net, norm), f'folded into "{target}", no layer of its own any more'))
    return new.finished(notes, gone=gone)


def _alone_with_origins(model: Model) -> set[int]:
    """The nodes that are all that their layers became."""
    counts = collections.Counter(origin for node in model.nodes for origin in node.origins)
    return {number for number, node in enumerate(model.nodes) if all(counts[origin] == 1 for origin in node.origins)}


def _way_back(model: Model, norm: Node, readers: Mapping[Edge, int], folded: Mapping[Edge, Edge]) -> list[Edge]:
    """The edges from a normalization back to what may have a kernel, or none if anybody else reads one of them.

    What only takes some of the values may lie between them, and what was folded before.
    """
    way: list[Edge] = []
    edge = norm.inputs[0] if has_class(norm, _NORM) and norm.weights else None
    while edge is not None and readers[edge] == 1:
        way.append(edge)
        node = model.nodes[edge.node]
        if edge in folded:
            edge = folded[edge]
        elif node.part == "after" and _only_takes(node):
            edge = node.inputs[0]
        else:
            return way
    return []


def _only_takes(node: Node) -> bool:
    """Whether what a node gives are values that it is given, as they are."""
    return has_class(node, "Cropping") or (has_class(node, "MaxPooling") and argument(node, "pool_size") == 1)


def _part(nodes: list[Node], place: int) -> None:
    """The layer at a place, and those that were it once more with the same arrays, are layers of their own."""
    for number, node in enumerate(nodes):
        if node.twin is not None and (number == place or node.twin == place):
            nodes[number] = dataclasses.replace(node, twin=None)


def _can_fold(holder: Node, norm: Node) -> bool:
    """Whether the channels that are normalized are those that the layer puts out."""
    if argument(norm, "axis") is not None or norm.built is not None or norm.problem is not None:
        return False
    if not holder.weights or holder.problem is not None or not has_class(holder, "Conv", "DepthwiseConv", "Dense"):
        return False
    return norm.weights[-1].shape == (_outputs(holder),)


def _outputs(layer: Node) -> int:
    kernel = layer.weights[0]
    if kernel.name == "depthwise_kernel":
        return kernel.shape[-2] * kernel.shape[-1]
    return kernel.shape[-2] if _is_transposed(layer) else kernel.shape[-1]


def _is_transposed(layer: Node) -> bool:
    return layer.call is not None and layer.call.class_name.endswith("Transpose")


def _folded(layer: Node, norm: Node) -> Node:
    """(k…, in, out), (k…, C, multiplier) or (k…, out, in), and (out) -> the same, in one layer."""
    held = {weight.name: weight.array.astype(np.float64) for weight in norm.weights}
    factor: Array = held.get("gamma", np.float64(1)) / np.sqrt(held["moving_variance"] + argument(norm, "epsilon"))
    kernel, *biases = layer.weights
    bias = biases[0].array if biases else np.float32(0)
    spread = factor
    if kernel.name == "depthwise_kernel":
        spread = factor.reshape(kernel.shape[-2:])
    elif _is_transposed(layer):
        spread = factor[:, np.newaxis]
    weights = (
        _float32(kernel.name, kernel.array * spread),
        _float32("bias", (bias - held["moving_mean"]) * factor + held.get("beta", np.float64(0))),
    )
    origins = (*layer.origins, *norm.origins)
    return dataclasses.replace(layer, weights=weights, call=without_arguments(layer.call, "use_bias"), origins=origins)


def _float32(name: str, values: Array) -> Weight:
    array = values.astype(np.float32)
    return Weight(name, array, array.shape)
