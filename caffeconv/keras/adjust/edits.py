"""A graph on its way into another one, and arrays on their way into others."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from caffeconv.keras.graph import Edge, Model, Node, Value
from caffeconv.model import Array, KerasCall, Net, Note, Weight

__all__ = ["Rewriting", "argument", "changed_arrays", "count_readers", "has_class", "layer_of", "without_arguments"]


class Rewriting:
    """Nodes are taken over one by one, in order, or new ones added; edges and numbers follow by themselves."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.nodes: list[Node] = []
        self.edges: dict[Edge, Edge] = {}
        """Edge of the old graph -> the edge that took its place."""
        self.numbers: dict[int, int] = {}
        """Number of a node that was taken over -> its number."""

    def add(self, node: Node) -> Edge:
        """A node whose inputs are edges of the new graph; its first output."""
        self.nodes.append(node)
        return Edge(len(self.nodes) - 1)

    def take(self, number: int, node: Node, inputs: Sequence[Edge] | None = None) -> None:
        """What becomes of an old node; `inputs`, of the new graph, are its own unless others are given."""
        twin = None if node.twin is None else self.numbers[node.twin]
        if inputs is None:
            inputs = [self.edges[edge] for edge in node.inputs]
        made = self.add(dataclasses.replace(node, inputs=tuple(inputs), twin=twin))
        self.numbers[number] = made.node
        self.edges.update((Edge(number, output), Edge(made.node, output)) for output in range(node.outputs))

    def finished(
        self, notes: Sequence[Note], *, outputs: Mapping[Edge, Edge] | None = None, gone: Collection[Edge] = ()
    ) -> Model:
        """The new graph. `outputs`: old edge -> what the model gives for it; blobs that `gone` held are no more."""
        old, outputs = self.model, outputs or {}
        values = {source: self._moved(value) for source, value in old.values.items() if value.edge not in gone}
        given = tuple(
            (name, Value(outputs[value.edge], value.held) if value.edge in outputs else self._moved(value))
            for name, value in old.outputs
        )
        inputs = tuple(map(self._moved, old.inputs))
        nodes, notes = tuple(self.nodes), (*old.notes, *notes)
        return dataclasses.replace(old, nodes=nodes, values=values, inputs=inputs, outputs=given, notes=notes)

    def _moved(self, value: Value) -> Value:
        return Value(self.edges[value.edge], value.held)


def count_readers(model: Model) -> collections.Counter[Edge]:
    """How often each edge is read, by nodes and as an output of the model."""
    counts = collections.Counter(edge for node in model.nodes for edge in node.inputs)
    counts.update(value.edge for _, value in model.outputs)
    return counts


def layer_of(net: Net, node: Node) -> str:
    """The name of the (first) layer that a node comes from."""
    return net.layers[node.origins[0]].name if node.origins else node.name


def changed_arrays(node: Node, changes: Mapping[str, Callable[[Array], Array]]) -> tuple[Weight, ...]:
    """The weights, those in `changes` with a view made from one that has the axes of its shape."""
    weights = []
    for weight in node.weights:
        change = changes.get(weight.name)
        view = weight.view if change is None else change(weight.view.reshape(weight.shape))
        weights.append(Weight(weight.name, view, weight.shape))
    return tuple(weights)


def has_class(node: Node, *prefixes: str) -> bool:
    """Whether the Keras layer is of a class whose name starts with one of `prefixes`."""
    return node.call is not None and node.call.class_name.startswith(prefixes)


def argument(node: Node, name: str) -> Any:
    """What the Keras layer is told as `name`, or `None`."""
    return dict(node.call.arguments).get(name) if node.call is not None else None


def without_arguments(call: KerasCall | None, *names: str) -> KerasCall | None:
    """The Keras layer without some of its arguments."""
    if call is None:
        return None
    return KerasCall(call.class_name, tuple(item for item in call.arguments if item[0] not in names))
