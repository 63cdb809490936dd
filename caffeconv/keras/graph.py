"""A net in Keras' words: the one graph from which weights, descriptions and models are written.

For each blob of Caffe's there is one decision on how Keras holds it, taken where the blob is made. Layers of the net
are meant by their index, never by their name, since names repeat.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Literal, NamedTuple, TypeAlias

from caffeconv.model import KerasCall, MaybeShape, Note, PartialShape, Source, Weight

__all__ = [
    "UNKNOWN",
    "Edge",
    "Held",
    "Layout",
    "Model",
    "Node",
    "Part",
    "Value",
    "is_reordered",
    "keras_shape",
    "needed_nodes",
]

Layout: TypeAlias = Literal["last", "axes", "flat", "unknown"]
Part: TypeAlias = Literal["input", "before", "main", "after", "glue"]


@dataclasses.dataclass(frozen=True)
class Held:
    """How Keras holds one blob of Caffe's, whose shape is `shape`.

    `last`: (N, axes…, C), three axes or more. `axes`: Caffe's own. `flat`: (N, K), where K is made of `segments` one
    behind the other, each of a shape (C, axes…) that Keras flattened as (axes…, C). `unknown`: nobody knows.
    """

    layout: Layout
    shape: MaybeShape
    segments: tuple[PartialShape, ...] = ()

    @property
    def rank(self) -> int | None:
        return None if self.shape is None else len(self.shape)

    def axis(self, axis: int) -> int:
        """Where Keras has an axis of Caffe's, counted from the front."""
        rank = len(self.shape or ())
        if self.layout != "last" or axis == 0:
            return axis
        return rank - 1 if axis == 1 else axis - 1


UNKNOWN = Held("unknown", None)
"""A blob of which nothing is known."""


class Edge(NamedTuple):
    """One output of a node."""

    node: int
    output: int = 0


class Value(NamedTuple):
    """A blob of Caffe's in the graph: where it is made, and how it is held."""

    edge: Edge
    held: Held


@dataclasses.dataclass(frozen=True, eq=False)
class Node:
    """One call of a Keras layer.

    `name` is the layer's in the output; `call` its class and arguments, `None` for arrays that no Keras layer takes.
    `weights` are in load order. `origins` are indices of the layers of the net that it comes from, none for what only
    brings a blob into another layout; `part` says what it is to them. `problem` says why it cannot be built. `twin`
    is the node whose Keras layer it calls again, and whose weights its own are, if it has any. `outputs` counts what
    it gives. `built` is what a model calls instead of `call`, with the same weights, where no layer of Keras does
    just what Caffe's does.
    """

    name: str
    call: KerasCall | None
    inputs: tuple[Edge, ...] = ()
    weights: tuple[Weight, ...] = ()
    origins: tuple[int, ...] = ()
    part: Part = "main"
    problem: str | None = None
    twin: int | None = None
    outputs: int = 1
    built: KerasCall | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class Model:
    """The graph, in the order in which it is computed, and where each blob of Caffe's is in it."""

    name: str
    nodes: tuple[Node, ...]
    values: Mapping[Source, Value]
    inputs: tuple[Value, ...]
    outputs: tuple[tuple[str, Value], ...]
    notes: tuple[Note, ...] = ()
    turned: bool = False
    """Whether images are to have their channels in the other order than in Caffe."""


def is_reordered(segment: PartialShape) -> bool:
    """Whether (C, axes…) has, or may have, its values in another order once the channels are last."""
    return any(size != 1 for size in segment[:1]) and any(size != 1 for size in segment[1:])


def keras_shape(held: Held) -> MaybeShape:
    """The shape of the tensor, batch included; an axis of unknown size is `None`."""
    if held.shape is None or held.layout != "last":
        return held.shape
    return (held.shape[0], *held.shape[2:], held.shape[1])


def needed_nodes(model: Model) -> list[int]:
    """The nodes that the outputs are made of, and those whose layers these call again, in order."""
    wanted = {value.edge.node for _, value in model.outputs}
    for number in reversed(range(len(model.nodes))):
        if number in wanted:
            node = model.nodes[number]
            wanted.update(edge.node for edge in node.inputs)
            wanted.update([] if node.twin is None else [node.twin])
    return sorted(wanted)
