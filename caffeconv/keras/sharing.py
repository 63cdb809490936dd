"""Layers that have their parameters in common, by the names of these: one layer of Keras, called more than once."""

from __future__ import annotations

import dataclasses

import numpy as np

from caffeconv.keras.building import Growing
from caffeconv.keras.graph import Node
from caffeconv.model import Array, Layer, Net, Note

__all__ = ["share_layers"]

_AT_ONCE = 2**20
"""Values that are compared in one piece."""


def share_layers(net: Net, growing: Growing) -> None:
    """Make a node the twin of the first whose layer has all parameters in common with its own, if Keras can share them.

    It can where the two are the same in Keras' words, their arrays included: another stride needs a layer of its own,
    which has the same values. A twin keeps its arrays, so that files of weights have them under both names.
    """
    owners: dict[tuple[str, ...], tuple[Layer, list[int]]] = {}
    weighted: dict[int, list[int]] = {}
    for number, node in enumerate(growing.nodes):
        if node.weights and node.problem is None and node.twin is None:
            weighted.setdefault(node.origins[0], []).append(number)
    for index, layer in enumerate(net.layers):
        numbers, names = weighted.get(index, []), _names(layer)
        if len(numbers) != 1 or not names:
            continue
        owner, known = owners.setdefault(names, (layer, []))
        twin = next((each for each in known if _are_one(growing.nodes[each], growing.nodes[numbers[0]])), None)
        if twin is not None:
            node = dataclasses.replace(growing.nodes[numbers[0]], twin=twin)
            growing.nodes[numbers[0]] = node
            growing.notes.append(
                Note("info", layer.name, f'has its parameters in common with "{owner.name}": one layer')
            )
            continue
        if known:
            text = f'has its parameters in common with "{owner.name}", but is a layer of its own with the same values'
            growing.notes.append(Note("info", layer.name, text))
        known.append(numbers[0])


def _names(layer: Layer) -> tuple[str, ...]:
    """Those of all of the layer's parameters, or none if one has none."""
    names = tuple(spec.name for spec in layer.param.param[: len(layer.blobs)])
    return names if len(names) == len(layer.blobs) and all(names) else ()


def _are_one(first: Node, second: Node) -> bool:
    pairs = list(zip(first.weights, second.weights, strict=False))
    return (
        (first.call, first.built, len(first.weights)) == (second.call, second.built, len(second.weights))
        and len(first.origins) == len(second.origins) == 1
        and all(one.name == other.name and one.shape == other.shape for one, other in pairs)
        and all(_equal(one.view, other.view) for one, other in pairs)
    )


def _equal(one: Array, other: Array) -> bool:
    """Whether two arrays have the same values, compared piece by piece, so that little memory is needed."""
    if one.shape != other.shape:
        return False
    if one.__array_interface__ == other.__array_interface__:  # as a join leaves them
        return True
    if one.size <= _AT_ONCE or one.ndim < 2:
        return np.array_equal(one, other)
    return all(map(_equal, one, other))
