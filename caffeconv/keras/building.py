"""What a rule builds with: the layer in its place, its inputs as Keras holds them, and the graph that grows around it.

One place alone, `Site.brought` and its kin, makes the Permutes, Flattens and Reshapes between two layers.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from caffeconv.keras.graph import Edge, Held, Layout, Node, Part, Value, is_reordered
from caffeconv.model import KerasCall, Layer, MaybeShape, Note, PartialShape, Shape, Weight

__all__ = ["Growing", "Options", "Site", "maps", "product", "target"]


@dataclasses.dataclass(frozen=True)
class Options:
    """How a conversion is to be; see `convert`."""

    flatten_order: Literal["hwc", "chw"] = "hwc"
    flatten_shapes: Mapping[str, Shape] = dataclasses.field(default_factory=dict)
    depthwise: Literal["depthwise", "conv2d"] = "depthwise"
    include_unknown: bool = True
    bgr_to_rgb: bool = False
    fold_batchnorm: bool = False
    complete_batchnorm: bool = False


@dataclasses.dataclass
class Growing:
    """The graph as far as it is built."""

    nodes: list[Node] = dataclasses.field(default_factory=list)
    notes: list[Note] = dataclasses.field(default_factory=list)
    inputs: list[Value] = dataclasses.field(default_factory=list)
    reordered: set[int] = dataclasses.field(default_factory=set)
    """Nodes whose values are in Caffe's order because glue brought them there, on their way to other layers."""

    def add(self, node: Node) -> Edge:
        """A new node; its first output."""
        self.nodes.append(node)
        if not node.weights and any(edge.node in self.reordered for edge in node.inputs):
            self.reordered.add(len(self.nodes) - 1)
        return Edge(len(self.nodes) - 1)

    def new_input(self, name: str, shape: MaybeShape, origins: tuple[int, ...], axes_kept: bool) -> Value:
        """An input of the model: with its channels last if it has pixels, unless its axes are to be kept."""
        held = Held("unknown", None) if shape is None else Held("axes", shape) if axes_kept else maps(shape)
        value = Value(self.add(Node(name, KerasCall("Input"), (), (), origins, "input")), held)
        self.inputs.append(value)
        return value


def maps(shape: MaybeShape) -> Held:
    """A blob with its channels last, if it has any axes behind them."""
    return Held("axes" if shape is not None and len(shape) < 3 else "last", shape)


@dataclasses.dataclass(frozen=True, eq=False)
class Site:
    """A layer of the net (`origins` are its index and those of what is fused into it) on its way into the graph."""

    layer: Layer
    origins: tuple[int, ...]
    inputs: tuple[Value, ...]
    options: Options
    growing: Growing
    scale: Layer | None = None
    each_bottom: bool = False
    axes_kept: bool = False

    def top(self, number: int = 0) -> MaybeShape:
        """The shape of one of the layer's tops, if it is known."""
        return self.layer.top_shapes[number] if number < len(self.layer.top_shapes) else None

    def call(
        self, class_name: str, *inputs: Edge, part: Part = "main", weights: Sequence[Weight] = (), outputs: int = 1,
        name: str = "", problem: str | None = None, **arguments: Any,
    ) -> Edge:  # fmt: skip
        """One call of a Keras layer; `name` is put behind the name of Caffe's layer."""
        call = KerasCall(class_name, tuple(arguments.items()))
        return self.add(call, inputs, part=part, weights=weights, outputs=outputs, name=name, problem=problem)

    def add(
        self, call: KerasCall | None, inputs: Sequence[Edge], *, part: Part = "main", weights: Sequence[Weight] = (),
        outputs: int = 1, name: str = "", problem: str | None = None, twin: int | None = None,
        built: KerasCall | None = None,
    ) -> Edge:  # fmt: skip
        """As `call`."""
        full = f"{self.layer.name}_{name}" if name else self.layer.name
        node = Node(full, call, tuple(inputs), tuple(weights), self.origins, part, problem, twin, outputs, built)
        return self.growing.add(node)

    def then(self, edge: Edge, calls: Sequence[KerasCall], part: Part) -> Edge:
        """The calls, one behind the other."""
        for call in calls:
            edge = self.add(call, (edge,), part=part, name=call.class_name.lower())
        return edge

    def note(self, text: str) -> None:
        """What was done that the Keras layer does not show."""
        self.growing.notes.append(Note("info", self.layer.name, text))

    def warn(self, text: str) -> None:
        """What may be wrong."""
        self.growing.notes.append(Note("warning", self.layer.name, text))

    def unsupported(self, reason: str, weights: Sequence[Weight] = (), layout: Layout = "unknown") -> tuple[Value, ...]:
        """Tops that no layer of Keras makes: a node that says why, in its place in the graph."""
        tops = len(self.layer.tops)
        edges = [value.edge for value in self.inputs]
        edge = self.add(None, edges, weights=weights, outputs=max(tops, 1), problem=reason)
        return tuple(Value(Edge(edge.node, number), Held(layout, self.top(number))) for number in range(tops))

    def refused(self, reason: str, layout: Layout = "unknown") -> tuple[Value, ...]:
        """As `unsupported`, for a setting that nobody would look for: who has only the weights is told of it, too."""
        self.warn(f"{reason}: no layer of Keras stands for it, and a model of your own needs one")
        return self.unsupported(reason, layout=layout)

    def input(self, number: int) -> Value:
        """An input of the model for one of the layer's tops, held as those who read it want it."""
        return self.growing.new_input(self.layer.tops[number], self.top(number), self.origins, self.axes_kept)

    def blocked(self, values: Sequence[Value], reason: str) -> tuple[Value, ...]:
        """The values, of a layer that cannot be built for this reason; its weights are as they are.

        In the graph they stand directly behind the layer's bottoms, since what was to be between is part of the layer.
        """
        bottoms, made = tuple(value.edge for value in self.inputs), {value.edge.node for value in values}
        for number, node in enumerate(self.growing.nodes):
            if node.origins == self.origins:
                inputs = bottoms if number in made else node.inputs
                self.growing.nodes[number] = dataclasses.replace(node, problem=reason, inputs=inputs)
        return tuple(Value(value.edge, Held("unknown", value.held.shape)) for value in values)

    # From one layout to another.

    def brought(self, value: Value, layout: Literal["last", "axes"], part: Part = "before") -> Value:
        """The same blob in another layout; what is unknown, or has no more than two axes, is as it is."""
        edge, held = value
        rank = held.rank
        if held.layout == "flat" and layout == "axes":
            return self._in_caffes_order(value, part)
        if rank is None or rank < 3 or held.layout in (layout, "unknown"):
            return value
        dims = (*range(2, rank), 1) if layout == "last" else (rank - 1, *range(1, rank - 1))
        moved = self.call("Permute", edge, part=part, name="permute", dims=dims)
        if layout == "axes":
            self.growing.reordered.add(moved.node)
        else:
            self.growing.reordered.discard(moved.node)
        return Value(moved, Held(layout, held.shape))

    def _in_caffes_order(self, value: Value, part: Part) -> Value:
        edge, held = value
        done = Held("axes", held.shape)
        if not any(map(is_reordered, held.segments)):
            return Value(edge, done)
        if len(held.segments) > 1:
            segments = tuple(held.segments)
            edge = self.call("ReorderFeatures", edge, part=part, name="reorder", segments=segments)
            self.growing.reordered.add(edge.node)
            return Value(edge, done)
        channels, *axes = held.segments[0]
        maps_shape = (*axes, channels)
        edge = self.call("Reshape", edge, part=part, name="maps", target_shape=target(maps_shape))
        rank = len(maps_shape) + 1
        edge = self.call("Permute", edge, part=part, name="permute", dims=(rank - 1, *range(1, rank - 1)))
        edge = self.call("Flatten", edge, part=part, name="flatten")
        self.growing.reordered.add(edge.node)
        return Value(edge, done)

    def flattened(self, value: Value, part: Part = "before", name: str = "flatten") -> Value:
        """All axes but the first as one, as Keras flattens them; with `--flatten-order chw` as Caffe does."""
        edge, held = value
        shape = held.shape
        if shape is None or len(shape) < 3:
            return value
        if held.layout == "last" and self.options.flatten_order == "chw":
            edge, held = self.brought(value, "axes", part)
        size = product(shape[1:])
        flat = self.call("Flatten", edge, part=part, name=name)
        if held.layout == "last":
            return Value(flat, Held("flat", (shape[0], size), (shape[1:],)))
        return Value(flat, Held("unknown" if held.layout == "unknown" else "axes", (shape[0], size)))


def product(sizes: PartialShape) -> int | None:
    """The product of sizes, if all are known."""
    known = [size for size in sizes if size is not None]
    return math.prod(known) if len(known) == len(sizes) else None


def target(sizes: Sequence[int | None]) -> tuple[int, ...]:
    """A target shape, in which one size may be unknown."""
    return tuple(-1 if size is None else size for size in sizes)
